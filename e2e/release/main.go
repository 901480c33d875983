// Command release makes what is published out of the binaries in a folder:
//
//	cd e2e && go run ./release ../dist
//
// Of dist/linux_amd64/hooklatch it makes an archive with licence, README and
// changelog, and a list of what the binary is made of; of all of them together
// SHA256SUMS. The same binaries give the same files.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("write the folder that has the binaries: go run ./release ../dist")
	}
	if err := release(os.Args[1], ".."); err != nil {
		log.Fatal(err)
	}
}

// release packs every <os>_<arch> in dist. The other files of an archive are
// the repository's.
func release(dist, repository string) error {
	binaries, err := filepath.Glob(filepath.Join(dist, "*_*", "hooklatch*"))
	if err != nil {
		return err
	}
	if len(binaries) == 0 {
		return fmt.Errorf("no binary in %s; make release builds them", dist)
	}
	sums := map[string]string{}
	for _, binary := range binaries {
		made, err := pack(binary, dist, repository)
		if err != nil {
			return fmt.Errorf("%s: %w", binary, err)
		}
		for name, content := range made {
			if err := os.WriteFile(filepath.Join(dist, name), content, 0o644); err != nil {
				return err
			}
			sums[name] = digest(content)
		}
	}
	return os.WriteFile(filepath.Join(dist, "SHA256SUMS"), sumsFile(sums), 0o644)
}

// pack gives the files that are made of one binary by their names.
func pack(binary, dist, repository string) (map[string][]byte, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	built, err := committed(info)
	if err != nil {
		return nil, err
	}
	contents := []entry{{filepath.Base(binary), 0o755, content}}
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md"} {
		content, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			return nil, err
		}
		contents = append(contents, entry{name, 0o644, content})
	}
	platform, err := filepath.Rel(dist, filepath.Dir(binary))
	if err != nil {
		return nil, err
	}
	name := strings.Join([]string{"hooklatch", info.Main.Version, platform}, "_")
	archive, extension, err := archiveFor(platform, name, contents, built)
	if err != nil {
		return nil, err
	}
	bom, err := billOfMaterials(info, content, built)
	return map[string][]byte{name + extension: archive, name + ".cdx.json": bom}, err
}

// committed is the time of the commit, which takes the place of every clock.
func committed(info *debug.BuildInfo) (time.Time, error) {
	for _, setting := range info.Settings {
		if setting.Key == "vcs.time" {
			return time.Parse(time.RFC3339, setting.Value)
		}
	}
	return time.Time{}, errors.New("the binary does not name its commit; build it in a clone, with -buildvcs=true")
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// sumsFile is what `sha256sum --check` reads.
func sumsFile(sums map[string]string) []byte {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(&text, "%s  %s\n", sums[name], name)
	}
	return []byte(text.String())
}
