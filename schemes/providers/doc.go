// Package providers has the built-in schemes, one provider in one file. Each file
// registers its scheme; a program has them all as soon as it imports schemes.
package providers
