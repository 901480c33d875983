//go:build race

package file

const raceDetector = true
