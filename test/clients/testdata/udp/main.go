// Udp serves and asks by datagrams, which busybox cannot: "udp serve PORT" answers
// each with itself, "udp ask HOST:PORT TEXT" prints the answer to one.
package main

import (
	"fmt"
	"net"
	"os"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	buf := make([]byte, 1500)
	if len(args) == 2 && args[0] == "serve" {
		conn, err := net.ListenPacket("udp", ":"+args[1])
		if err != nil {
			return err
		}
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return err
			}
			if _, err := conn.WriteTo(buf[:n], from); err != nil {
				return err
			}
		}
	}
	if len(args) != 3 || args[0] != "ask" {
		return fmt.Errorf("usage: udp serve PORT | udp ask HOST:PORT TEXT")
	}
	conn, err := net.Dial("udp", args[1])
	if err != nil {
		return err
	}
	defer conn.Close()
	for range 10 {
		if _, err := conn.Write([]byte(args[2])); err != nil {
			return err
		}
		conn.SetReadDeadline(time.Now().Add(time.Second))
		n, err := conn.Read(buf)
		if err == nil {
			fmt.Println(string(buf[:n]))
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("no answer from %s", args[1])
}
