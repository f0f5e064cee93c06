// Program is in the images of a conformance suite under several names: a set-user-ID
// program that says whose rights it has, ipcs, and a web server that calls
// itself what the suite looks for.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
)

func main() {
	switch filepath.Base(os.Args[0]) {
	case "nonewprivs":
		fmt.Printf("Effective uid: %d\n", os.Geteuid())
	case "ipcs":
		segments()
	case "nginx":
		err := syscall.Exec("/bin/nginx", append([]string{"nginx: master process nginx"}, os.Args[1:]...), os.Environ())
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, serve(os.Args[1]))
		os.Exit(1)
	}
}

// serve answers requests at a port with a page.
func serve(port string) error {
	if err := os.WriteFile("/var/run/nginx.pid", fmt.Appendln(nil, os.Getpid()), 0o644); err != nil {
		return err
	}
	fmt.Println("httpd -D FOREGROUND")
	return http.ListenAndServe(":"+port, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "a page\n") }))
}
