// Package apps runs real programs in the sandbox and on the host, and compares
// standard output and exit code.
//
//	go test ./test/apps                       everything that is installed here
//	go test ./test/apps -run TestDo/git -v    one application
//	go test ./test/apps -runsc PATH           a runsc that is built already
//
// A case is a file in testdata: NAME.sh is run by bash, NAME.pty is typed into
// a program on a terminal. Its head says what it needs:
//
//	# needs: git ssh      programs; the case is skipped, with the reason, without them
//	# time: 90            seconds until the case is ended, per run (60 unless said)
//	# bundle              run it again under `runsc run` in a Debian root
//
// A script starts in an empty directory, finds testdata in $APPS, and has
// $SECONDS_EACH for what runs for a time. It must print the same in every run.
// What it writes must not reach the host: that directory is empty afterwards.
//
// A .pty file has the command in its first line that is no comment, then lines
// of three kinds: "> text" types text and Return, "^ X" types control-X, and
// "< expression" waits until the terminal has shown something that matches.
package apps
