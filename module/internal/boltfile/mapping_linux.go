package boltfile

import "syscall"

// readAhead makes the system read a file when it is mapped, in the order of its
// pages and not in the order of the tree.
const readAhead = syscall.MAP_POPULATE
