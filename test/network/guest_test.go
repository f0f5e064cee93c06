package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// guest is what the test program does in a sandbox; it returns the exit code.
func guest(what string, args []string) int {
	if err := guestDo(what, args); err != nil {
		fmt.Fprintf(os.Stderr, "%s %q: %v\n", what, args, err)
		return 1
	}
	return 0
}

func guestDo(what string, args []string) error {
	switch what {
	case "stay": // until the input ends
		fmt.Print("ready")
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	case "ping":
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		from, _, err := echo(args[0], n)
		if err == nil {
			fmt.Println(from)
		}
		return err
	case "traceroute":
		for ttl := 1; ttl <= 30; ttl++ {
			from, reached, err := echo(args[0], ttl)
			if err != nil {
				return err
			}
			fmt.Println(from)
			if reached {
				return nil
			}
		}
		return errors.New("never arrived")
	case "get": // each URL in turn
		for _, url := range args {
			fmt.Println(get(url))
		}
		return nil
	case "serve": // TCP and UDP of a port: what comes, in capitals, until the input ends
		return serve(args[0])
	case "send": // to ADDRESS:PORT by NETWORK
		answer, err := exchange(args[0], args[1], args[2])
		fmt.Println(answer)
		return err
	case "names": // answers every question for an address at ADDRESS:PORT, until the input ends
		return answerNames(args[0], net.ParseIP(args[1]).To4())
	case "pour": // bytes to ADDRESS:PORT, which says how many came
		return pour(args[0], args[1])
	}
	return errors.New("unknown")
}

func get(url string) string {
	c := http.Client{Timeout: 5 * time.Second}
	r, err := c.Get(url)
	if err != nil {
		return "failed"
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return "failed"
	}
	return string(b)
}

func exchange(network, addr, text string) (string, error) {
	c, err := net.DialTimeout(network, addr, 5*time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	buf := make([]byte, 1500)
	for try := 0; ; try++ {
		if _, err := c.Write([]byte(text)); err != nil {
			return "", err
		}
		if network == "udp" {
			c.SetReadDeadline(time.Now().Add(time.Second))
		}
		n, err := c.Read(buf)
		if err == nil || try == 4 || network != "udp" {
			return string(buf[:n]), err
		}
	}
}

// serve also takes what "pour" sends, on the next port.
func serve(port string) error {
	l, err := net.Listen("tcp", ":"+port)
	if err != nil {
		return err
	}
	u, err := net.ListenPacket("udp", ":"+port)
	if err != nil {
		return err
	}
	n, _ := strconv.Atoi(port)
	sink, err := net.Listen("tcp", fmt.Sprintf(":%d", n+1))
	if err != nil {
		return err
	}
	go accept(l, func(c net.Conn) {
		b := make([]byte, 1500)
		if n, err := c.Read(b); err == nil {
			io.WriteString(c, strings.ToUpper(string(b[:n])))
		}
	})
	go accept(sink, func(c net.Conn) {
		n, _ := io.Copy(io.Discard, c)
		fmt.Fprint(c, n)
	})
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := u.ReadFrom(b)
			if err != nil {
				return
			}
			u.WriteTo([]byte(strings.ToUpper(string(b[:n]))), from)
		}
	}()
	fmt.Print("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func accept(l net.Listener, f func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			f(c)
		}()
	}
}

func pour(addr, size string) error {
	want, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return err
	}
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.CopyN(c, zeros{}, want); err != nil {
		return err
	}
	c.(*net.TCPConn).CloseWrite()
	b, err := io.ReadAll(c)
	if err == nil && string(b) != size {
		err = fmt.Errorf("%s bytes arrived", b)
	}
	return err
}

// answerNames is a resolver for which every name has one address.
func answerNames(at string, ip net.IP) error {
	c, err := net.ListenPacket("udp", at)
	if err != nil {
		return err
	}
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil || n < 17 {
				return
			}
			end := 12
			for b[end] != 0 {
				end += int(b[end]) + 1
			}
			end += 5
			out := append([]byte(nil), b[:end]...)
			out[2], out[3] = 0x81, 0x80
			clear(out[6:12])
			if binary.BigEndian.Uint16(b[end-4:]) == 1 {
				out[7] = 1
				out = append(append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4), ip...)
			}
			c.WriteTo(out, from)
		}
	}()
	fmt.Print("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// echo sends ICMP echo requests with a time to live until somebody answers: the one asked, or a router.
func echo(addr string, ttl int) (from string, reached bool, err error) {
	to := net.ParseIP(addr)
	v4 := to.To4() != nil
	network, request, reply, exceeded := "ip6:ipv6-icmp", byte(128), byte(129), byte(3)
	if v4 {
		network, request, reply, exceeded = "ip4:icmp", 8, 0, 11
	}
	c, err := net.ListenPacket(network, "")
	if err != nil {
		return "", false, err
	}
	defer c.Close()
	raw, err := c.(*net.IPConn).SyscallConn()
	if err != nil {
		return "", false, err
	}
	raw.Control(func(fd uintptr) {
		if v4 {
			err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_TTL, ttl)
		} else {
			err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, syscall.IPV6_UNICAST_HOPS, ttl)
		}
	})
	if err != nil {
		return "", false, err
	}
	buf := make([]byte, 1500)
	for seq := range 10 {
		m := []byte{request, 0, 0, 0, 0x12, 0x34, 0, byte(seq), 'c', 'o', 'r', 'd', 'o', 'n'}
		if v4 {
			binary.BigEndian.PutUint16(m[2:], checksum(m))
		}
		if _, err := c.WriteTo(m, &net.IPAddr{IP: to}); err != nil {
			return "", false, err
		}
		c.SetReadDeadline(time.Now().Add(time.Second))
		for {
			n, who, err := c.ReadFrom(buf)
			if err != nil {
				break // once more
			}
			if n >= 8 && (buf[0] == reply && who.String() == addr || buf[0] == exceeded) {
				return who.String(), buf[0] == reply, nil
			}
		}
	}
	return "", false, errors.New("no answer")
}

func checksum(b []byte) uint16 {
	sum := uint32(0)
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
