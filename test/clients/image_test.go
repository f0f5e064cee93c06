package clients

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// imageName is what the image is called in every client.
const imageName = "docker.io/local/bbox:latest"

// pauseName is an image that waits, for the first container of a pod.
const pauseName = "docker.io/local/pause:latest"

// busybox returns the host's static busybox.
func (w *world) busybox() string {
	w.Helper()
	path, err := exec.LookPath("busybox")
	if err != nil {
		w.Skip("no busybox to make an image from (Debian: busybox-static)")
	}
	f, err := elf.Open(path)
	if err != nil {
		w.Skipf("busybox: %v", err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			w.Skip("busybox is not static (Debian: busybox-static)")
		}
	}
	return path
}

// rootfs makes a root directory with busybox in it.
func (w *world) rootfs() string {
	w.Helper()
	root := filepath.Join(w.dir, "rootfs")
	if _, err := os.Stat(root); err == nil {
		return root
	}
	box := w.busybox()
	list, err := exec.Command(box, "--list").Output()
	if err != nil {
		w.Fatal(err)
	}
	for _, d := range []string{"bin", "sbin", "usr/bin", "etc", "dev", "proc", "sys", "root", "home/user", "var/log", "run", "tmp", "srv"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			w.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(root, "tmp"), 0o1777); err != nil {
		w.Fatal(err)
	}
	w.copyFile(box, filepath.Join(root, "bin/busybox"), 0o755)
	for name := range strings.FieldsSeq(string(list)) {
		if name != "busybox" {
			if err := os.Symlink("busybox", filepath.Join(root, "bin", name)); err != nil {
				w.Fatal(err)
			}
		}
	}
	for name, text := range map[string]string{
		"etc/passwd": "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n",
		"etc/group":  "root:x:0:\nuser:x:1000:\nextra:x:2000:user\n",
		"etc/issue":  "clients\n",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			w.Fatal(err)
		}
	}
	return root
}

func (w *world) copyFile(from, to string, mode fs.FileMode) {
	w.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, mode)
	}
	if err != nil {
		w.Fatal(err)
	}
}

// archived is a file of an image's archive.
type archived struct {
	name string
	data []byte
}

// An image is a name for a tree and what runs in it.
type image struct {
	name string
	root string // directory
	cmd  []string
	user string
}

// image makes an archive of imageName and pauseName with the rootfs.
func (w *world) image() string {
	w.Helper()
	path := filepath.Join(w.dir, "image.tar")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	root := w.rootfs()
	w.archive(path, image{name: imageName, root: root, cmd: []string{"sh"}}, image{name: pauseName, root: root, cmd: []string{"tail", "-f", "/dev/null"}})
	return path
}

// archive writes images as `docker save` does. `ctr images import`, `docker load` and `podman load` take it.
func (w *world) archive(path string, images ...image) {
	w.Helper()
	var files []archived
	layers := map[string]string{} // by their roots, names
	var manifest []map[string]any
	for _, i := range images {
		sum, have := layers[i.root]
		if !have {
			layer := w.tarTree(i.root)
			s := sha256.Sum256(layer)
			sum = hex.EncodeToString(s[:])
			layers[i.root] = sum
			files = append(files, archived{sum + "/layer.tar", layer})
		}
		config := w.json(map[string]any{
			"architecture": "amd64", "os": "linux",
			"config": map[string]any{"Env": []string{"PATH=/bin:/sbin:/usr/bin"}, "Cmd": i.cmd, "WorkingDir": "/", "User": i.user},
			"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + sum}},
		})
		configSum := sha256.Sum256(config)
		configName := hex.EncodeToString(configSum[:]) + ".json"
		files = append(files, archived{configName, config})
		manifest = append(manifest, map[string]any{"Config": configName, "RepoTags": []string{i.name}, "Layers": []string{sum + "/layer.tar"}})
	}
	files = append(files, archived{"manifest.json", w.json(manifest)})
	var out bytes.Buffer
	t := tar.NewWriter(&out)
	have := map[string]bool{}
	for _, f := range files {
		if have[f.name] {
			continue
		}
		have[f.name] = true
		if err := t.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.data))}); err != nil {
			w.Fatal(err)
		}
		if _, err := t.Write(f.data); err != nil {
			w.Fatal(err)
		}
	}
	if err := t.Close(); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		w.Fatal(err)
	}
}

func (w *world) json(v any) []byte {
	w.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		w.Fatal(err)
	}
	return data
}

// tarTree is a directory as a layer, owned by root.
func (w *world) tarTree(root string) []byte {
	w.Helper()
	var out bytes.Buffer
	t := tar.NewWriter(&out)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		link, _ := os.Readlink(path) // empty where it is none
		h, err := tar.FileInfoHeader(info, link)
		if err != nil {
			return err
		}
		h.Name, _ = filepath.Rel(root, path)
		h.Uid, h.Gid, h.Uname, h.Gname = 0, 0, "", ""
		if err := t.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil {
			_, err = t.Write(data)
		}
		return err
	})
	if err == nil {
		err = t.Close()
	}
	if err != nil {
		w.Fatal(err)
	}
	return out.Bytes()
}
