package memory

import (
	"container/heap"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/hooklatch/hooklatch/module/replay"
)

// tenants are the entries of a history by tenant, and the tenants by how many they
// have: a tenant that sends much must not push out what others have sent.
type tenants struct {
	byName map[string]*tenant
	bySize tenantHeap // the one that has most comes first
	count  int        // of the entries of all
}

// tenant has at least one entry.
type tenant struct {
	name    string
	entries *simplelru.LRU[replay.Key, entry]
	at      int // in bySize
}

func newTenants() tenants { return tenants{byName: map[string]*tenant{}} }

// of returns the tenant of a name, or nil if it has no entry.
func (t *tenants) of(name string) *tenant { return t.byName[name] }

// add adds an entry, or exchanges the one of the same key.
func (t *tenants) add(name string, key replay.Key, e entry) {
	owner := t.byName[name]
	if owner == nil {
		// The size of the history can change and is that of all tenants, so it evicts
		// entries itself. NewLRU fails only without a size, and allocates nothing for it.
		entries, _ := simplelru.NewLRU[replay.Key, entry](maxSize, nil)
		owner = &tenant{name: name, entries: entries}
		t.byName[name] = owner
		heap.Push(&t.bySize, owner)
	}
	before := owner.entries.Len()
	owner.entries.Add(key, e)
	t.changed(owner, before)
}

func (t *tenants) remove(owner *tenant, key replay.Key) {
	before := owner.entries.Len()
	owner.entries.Remove(key)
	t.changed(owner, before)
}

// removeOldest removes the least recently used entry of the tenant that has most.
func (t *tenants) removeOldest() entry {
	owner := t.bySize[0]
	before := owner.entries.Len()
	_, oldest, _ := owner.entries.RemoveOldest()
	t.changed(owner, before)
	return oldest
}

// changed counts a tenant's entries anew.
func (t *tenants) changed(owner *tenant, before int) {
	now := owner.entries.Len()
	t.count += now - before
	switch {
	case now == 0:
		heap.Remove(&t.bySize, owner.at)
		delete(t.byName, owner.name)
	case now != before:
		heap.Fix(&t.bySize, owner.at)
	}
}

// tenantHeap is a heap for container/heap.
type tenantHeap []*tenant

func (h tenantHeap) Len() int           { return len(h) }
func (h tenantHeap) Less(i, j int) bool { return h[i].entries.Len() > h[j].entries.Len() }
func (h tenantHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push adds a tenant.
func (h *tenantHeap) Push(x any) {
	t := x.(*tenant)
	t.at = len(*h)
	*h = append(*h, t)
}

// Pop removes the last tenant.
func (h *tenantHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return t
}
