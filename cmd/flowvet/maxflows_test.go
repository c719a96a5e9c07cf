package main

import (
	"os"
	"testing"
)

func TestMemoryThatFlowsMayTake(t *testing.T) {
	const gib = 1 << 30
	meminfo := "MemTotal:       33554432 kB\nMemFree:         1000 kB\nMemAvailable:   25165824 kB\n"
	tests := []struct {
		name   string
		files  map[string]string
		memory uint64
		flows  int
	}{
		{"a machine that says nothing", nil, 0, 8 << 20},
		{"the system's memory", map[string]string{"/proc/meminfo": meminfo}, 24 * gib, 3 << 19},
		{
			"a control group of version 2",
			map[string]string{"/proc/meminfo": meminfo, "/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/b/memory.max": "17179869184\n"},
			16 * gib, 1 << 20,
		},
		{
			"a limit of the group above",
			map[string]string{"/proc/meminfo": meminfo, "/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/b/memory.max": "max\n", "/sys/fs/cgroup/a/memory.max": "21474836480\n"},
			20 * gib, 5 << 18,
		},
		{
			"a control group of version 1",
			map[string]string{"/proc/self/cgroup": "4:cpu:/x\n9:memory:/docker/7\n", "/sys/fs/cgroup/memory/docker/7/memory.limit_in_bytes": "34359738368\n"},
			32 * gib, 2 << 20,
		},
		{"a small machine", map[string]string{"/proc/meminfo": "MemAvailable: 524288 kB\n"}, gib / 2, 1 << 20},
		{"nonsense", map[string]string{"/proc/meminfo": "MemAvailable: -1 kB\n", "/proc/self/cgroup": "x\n:\n0:\n"}, 0, 8 << 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			read := func(name string) ([]byte, error) {
				if text, ok := tt.files[name]; ok {
					return []byte(text), nil
				}
				return nil, os.ErrNotExist
			}
			memory := availableMemory(read)
			if memory != tt.memory {
				t.Errorf("%d bytes, want %d", memory, tt.memory)
			}
			if got := maxFlowsIn(memory); got != tt.flows {
				t.Errorf("%d flows, want %d", got, tt.flows)
			}
		})
	}
}
