// Package providers contains the built-in schemes, one provider per file. Each
// file registers its scheme. Importing the package schemes registers them all.
package providers
