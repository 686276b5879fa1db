package report

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// A Machine is what the figures were measured on and with.
type Machine struct {
	CPU, OS, Go string
	Cores       int
	Modules     []string // with their versions
}

// ThisMachine returns the one that runs this program.
func ThisMachine() Machine {
	return Machine{
		CPU:     field("/proc/cpuinfo", "model name", ":"),
		OS:      system(),
		Go:      runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH,
		Cores:   runtime.NumCPU(),
		Modules: modules(),
	}
}

func system() string {
	name, err := strconv.Unquote(field("/etc/os-release", "PRETTY_NAME", "="))
	if err != nil {
		return runtime.GOOS
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return strings.TrimSpace(name + ", Linux " + string(kernel))
}

// field returns what stands behind the first line's name and separator; "unknown" where the system has no such file.
func field(file, name, separator string) string {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, separator)
		if strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// compared are the modules whose version is worth reading; others come along with them.
var compared = []string{
	"alexedwards/scs", "gorilla/sessions", "gorilla/securecookie", "gin-contrib/sessions", "quasoft/memstore",
	"gin-gonic/gin", "gofiber/fiber", "valyala/fasthttp", "jackc/pgx/", "coder/websocket", "gorilla/websocket",
}

func modules() []string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	var found []string
	for _, dep := range info.Deps {
		if isCompared(dep.Path) {
			found = append(found, dep.Path+" "+dep.Version)
		}
	}
	return found
}

func isCompared(path string) bool {
	for _, name := range compared {
		if strings.HasPrefix(path, "github.com/"+name) {
			return true
		}
	}
	return false
}

func (m Machine) markdown() string {
	var b strings.Builder
	b.WriteString(head("", ""))
	b.WriteString(row("CPU", m.CPU+", "+strconv.Itoa(m.Cores)+" cores"))
	b.WriteString(row("system", m.OS))
	b.WriteString(row("Go", m.Go))
	b.WriteString(row("modules", strings.Join(m.Modules, "<br>")))
	return b.String()
}
