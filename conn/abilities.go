package conn

import (
	"net"
	"syscall"
)

// Programs find out by type assertion what a net.Conn can do. So the one they get must have exactly the optional
// methods of the connection below: each combination is a type. Each type is one pointer to the Conn, which an interface
// holds without an allocation, and adds one method to a smaller type.

type (
	viewS struct{ *Conn } // SyscallConn
	viewW struct{ *Conn } // CloseWrite
	viewR struct{ *Conn } // CloseRead

	viewSW  struct{ viewS }
	viewSR  struct{ viewS }
	viewWR  struct{ viewW }
	viewSWR struct{ viewSW } // TCP

	// Packets: the methods ReadFrom and WriteTo of a net.PacketConn, in place of those of the Conn.
	viewP    struct{ *Conn }
	viewPS   struct{ viewP } // UDP
	viewPW   struct{ viewP }
	viewPR   struct{ viewP }
	viewPSW  struct{ viewPS }
	viewPSR  struct{ viewPS }
	viewPWR  struct{ viewPW }
	viewPSWR struct{ viewPSW } // Unix sockets
)

func (v viewS) SyscallConn() (syscall.RawConn, error)  { return v.syscallConn() }
func (v viewPS) SyscallConn() (syscall.RawConn, error) { return v.syscallConn() }

func (v viewW) CloseWrite() error   { return v.closeWrite() }
func (v viewSW) CloseWrite() error  { return v.closeWrite() }
func (v viewPW) CloseWrite() error  { return v.closeWrite() }
func (v viewPSW) CloseWrite() error { return v.closeWrite() }

func (v viewR) CloseRead() error    { return v.closeRead() }
func (v viewSR) CloseRead() error   { return v.closeRead() }
func (v viewWR) CloseRead() error   { return v.closeRead() }
func (v viewSWR) CloseRead() error  { return v.closeRead() }
func (v viewPR) CloseRead() error   { return v.closeRead() }
func (v viewPSR) CloseRead() error  { return v.closeRead() }
func (v viewPWR) CloseRead() error  { return v.closeRead() }
func (v viewPSWR) CloseRead() error { return v.closeRead() }

func (v viewP) ReadFrom(p []byte) (int, net.Addr, error)     { return v.readPacket(p) }
func (v viewP) WriteTo(p []byte, addr net.Addr) (int, error) { return v.writePacket(p, addr) }

type (
	closeWriter interface{ CloseWrite() error }
	closeReader interface{ CloseRead() error }
)

// The abilities of a connection, as bits.
const (
	canSyscall = 1 << iota
	canCloseWrite
	canCloseRead
	canPacket
)

// View returns the connection with more methods: SyscallConn, CloseWrite, CloseRead, and those of a net.PacketConn,
// each if the connection below has it. Listeners and dials return the View. A program that makes the Conn with [New]
// passes its View to code that finds out by type assertion what a connection can do, such as net/http. [From] returns
// the Conn of a View.
func (c *Conn) View() net.Conn {
	switch abilities(c.inner) {
	case canSyscall | canCloseWrite | canCloseRead:
		return viewSWR{viewSW{viewS{c}}}
	case canPacket | canSyscall | canCloseWrite | canCloseRead:
		return viewPSWR{viewPSW{viewPS{viewP{c}}}}
	case canPacket | canSyscall:
		return viewPS{viewP{c}}
	case canSyscall:
		return viewS{c}
	case canCloseWrite:
		return viewW{c}
	case canCloseRead:
		return viewR{c}
	case canSyscall | canCloseWrite:
		return viewSW{viewS{c}}
	case canSyscall | canCloseRead:
		return viewSR{viewS{c}}
	case canCloseWrite | canCloseRead:
		return viewWR{viewW{c}}
	case canPacket:
		return viewP{c}
	case canPacket | canCloseWrite:
		return viewPW{viewP{c}}
	case canPacket | canCloseRead:
		return viewPR{viewP{c}}
	case canPacket | canSyscall | canCloseWrite:
		return viewPSW{viewPS{viewP{c}}}
	case canPacket | canSyscall | canCloseRead:
		return viewPSR{viewPS{viewP{c}}}
	case canPacket | canCloseWrite | canCloseRead:
		return viewPWR{viewPW{viewP{c}}}
	default:
		return c
	}
}

// abilities returns what nc can do.
func abilities(nc net.Conn) (bits int) {
	if _, ok := nc.(syscall.Conn); ok {
		bits |= canSyscall
	}
	if _, ok := nc.(closeWriter); ok {
		bits |= canCloseWrite
	}
	if _, ok := nc.(closeReader); ok {
		bits |= canCloseRead
	}
	if _, ok := nc.(net.PacketConn); ok {
		bits |= canPacket
	}
	return bits
}

// A Conn and its views implement ours, which returns the Conn.
type ours interface{ self() *Conn }

func (c *Conn) self() *Conn { return c }

func (c *Conn) closeWrite() error { return c.inner.(closeWriter).CloseWrite() }

func (c *Conn) closeRead() error { return c.inner.(closeReader).CloseRead() }

func (c *Conn) readPacket(p []byte) (int, net.Addr, error) {
	n, addr, err := c.inner.(net.PacketConn).ReadFrom(p)
	c.tellRead(int64(n), err)
	return n, addr, err
}

func (c *Conn) writePacket(p []byte, addr net.Addr) (int, error) {
	n, err := c.inner.(net.PacketConn).WriteTo(p, addr)
	c.tellWrite(int64(n), err)
	return n, err
}

func (c *Conn) syscallConn() (syscall.RawConn, error) {
	raw, err := c.inner.(syscall.Conn).SyscallConn()
	if err != nil || !c.observed() {
		return raw, err
	}
	return observedRaw{raw}, nil
}

// An observedRaw has the methods of a RawConn and no more. With others, os.File would find the socket, and let the
// kernel move bytes between the two without the observers. Without them it uses the Conn.
type observedRaw struct{ syscall.RawConn }
