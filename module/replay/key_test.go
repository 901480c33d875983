package replay

import "testing"

func TestID(t *testing.T) {
	key := Key{0: 0xab, 15: 0x01}
	id := key.ID()
	if id != "sha256-ab000000000000000000000000000001" {
		t.Fatal(id)
	}
	if back, ok := ParseID(id); !ok || back != key {
		t.Errorf("%s reads as %x", id, back)
	}
	for _, wrong := range []string{"", "sha256-", id[:len(id)-1], id + "0", "SHA256-ab000000000000000000000000000001", "sha256-AB000000000000000000000000000001", "sha256-zz000000000000000000000000000001"} {
		if _, ok := ParseID(wrong); ok {
			t.Errorf("%q is an id", wrong)
		}
	}
}
