package ports

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// asAnotherRun is the variable that makes the test binary take ports until its
// input ends.
const asAnotherRun = "HOOKLATCH_TEST_TAKES_PORTS"

func TestMain(m *testing.M) {
	if os.Getenv(asAnotherRun) == "" {
		os.Exit(m.Run())
	}
	for range 200 {
		port, err := Take(1)
		if err != nil {
			fmt.Println(err)
		}
		fmt.Println(port)
	}
	fmt.Println("done")
	_, _ = new(bytes.Buffer).ReadFrom(os.Stdin)
}

// TestTakenOnce: no port is reserved twice, neither in this process nor in
// another one at the same time.
func TestTakenOnce(t *testing.T) {
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), asAnotherRun+"=1")
	stdin, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	taken := map[string]bool{}
	note := func(port string) {
		if taken[port] {
			t.Errorf("port %s was handed out twice", port)
		}
		taken[port] = true
	}
	for {
		var line string
		if _, err := fmt.Fscanln(said, &line); err != nil {
			t.Fatal(err)
		}
		if line == "done" {
			break
		}
		note(line)
	}
	for range 200 {
		port, err := Take(1)
		if err != nil {
			t.Fatal(err)
		}
		note(fmt.Sprint(port))
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := other.Wait(); err != nil {
		t.Error(err)
	}
	if len(taken) != 400 {
		t.Errorf("%d ports were handed out, not 400", len(taken))
	}
}

// TestRow: consecutive ports are all free, and all reserved.
func TestRow(t *testing.T) {
	begin, err := Take(3)
	if err != nil {
		t.Fatal(err)
	}
	for port := begin; port < begin+3; port++ {
		if file, err := lock(port); file != nil || err != nil {
			t.Errorf("port %d can be taken again: %v", port, err)
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
}

// TestListenedOn: a port on which another program listens is not free, and the
// ports locked before it in the row are unlocked again.
func TestListenedOn(t *testing.T) {
	begin, err := Take(2)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", begin+1))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	locks.Lock()
	for _, file := range locks.files[len(locks.files)-2:] {
		_ = file.Close()
	}
	locks.files = locks.files[:len(locks.files)-2]
	locks.Unlock()

	if taken, err := take(begin, 2); taken || err != nil {
		t.Errorf("taken %t, %v", taken, err)
	}
	for port := begin; port < begin+2; port++ {
		file, err := lock(port)
		if file == nil || err != nil {
			t.Fatalf("port %d is still locked: %v", port, err)
		}
		_ = file.Close()
	}
}

// TestNoneLeft: it is an error to take more ports than there are.
func TestNoneLeft(t *testing.T) {
	if _, err := Take(last - first + 2); err == nil || !strings.HasPrefix(err.Error(), "no ") {
		t.Errorf("%v", err)
	}
}
