package boltfile

import "syscall"

// readAhead has the system read a file while it maps it, one page after the
// other and not as the tree has them.
const readAhead = syscall.MAP_POPULATE
