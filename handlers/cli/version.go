package cli

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

func versionLine() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which version this is",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(os.Stdout, "latchkey %s, %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// version says which source the binary was built from, as far as the
// toolchain wrote it down. A commit without a tag is named by a pseudo-version,
// which has the revision and "+dirty" in it; a build outside a checkout is
// only "devel".
func version() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	v := strings.Trim(build.Main.Version, "()")
	for _, s := range build.Settings {
		if s.Key == "vcs.revision" && !strings.Contains(v, s.Value[:min(12, len(s.Value))]) {
			return v + " (" + s.Value + ")"
		}
	}
	return v
}
