package schemestest

import "fmt"

// Answer is an implementation's verdict on a vector.
type Answer struct {
	Accepted bool
	// Reason says why a vector is rejected. If it is empty, only the verdict is
	// compared.
	Reason string
}

// String returns accept, or reject with the reason.
func (a Answer) String() string {
	if a.Accepted {
		return string(Accept)
	}
	if a.Reason == "" {
		return string(Reject)
	}
	return string(Reject) + " " + a.Reason
}

// Wrong returns what is wrong with an answer, or nothing.
func (v *Vector) Wrong(a Answer) string {
	right := Answer{Accepted: v.Expect == Accept, Reason: v.Reason}
	if a.Accepted != right.Accepted || a.Reason != "" && a.Reason != right.Reason {
		return fmt.Sprintf("%s, want %s (%s: %s)", a, right, v.Level, v.Why)
	}
	return ""
}

// Tester is the part of *testing.T that Run needs. The command uses this
// package too, and should not contain the package testing.
type Tester[T any] interface {
	Run(name string, test func(T)) bool
	Error(args ...any)
	Fatal(args ...any)
}

// Run runs the vectors of a folder through an implementation, each as a test.
// An error of the implementation is not an answer: it fails the test.
func Run[T Tester[T]](t T, dir string, judge func(Vector) (Answer, error)) {
	vectors, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		t.Run(v.ID(), func(t T) {
			answer, err := judge(v)
			if err != nil {
				t.Fatal(err)
			}
			if wrong := v.Wrong(answer); wrong != "" {
				t.Error(wrong)
			}
		})
	}
}
