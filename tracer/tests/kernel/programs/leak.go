// As leak.c.
package main

import (
	"io"
	"net"
	"os"
	"strconv"
	"time"
)

var held []net.Conn

//go:noinline
func openAndClose(server string) {
	conn, err := net.Dial("tcp", server)
	if err != nil {
		panic(err)
	}
	conn.Close()
}

//go:noinline
func openAndLeak(server string) {
	conn, err := net.Dial("tcp", server) // LEAK
	if err != nil {
		panic(err)
	}
	held = append(held, conn)
}

func main() {
	number := func(index int) int {
		value, err := strconv.Atoi(os.Args[index])
		if err != nil {
			panic(err)
		}
		return value
	}
	server := "127.0.0.1:" + os.Args[1]
	for i := 0; i < number(2); i++ {
		openAndClose(server)
	}
	for i := 0; i < number(3); i++ {
		openAndLeak(server)
		time.Sleep(time.Duration(number(4)) * time.Millisecond)
	}
	io.Copy(io.Discard, os.Stdin)
}
