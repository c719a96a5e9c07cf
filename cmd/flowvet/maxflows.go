package main

import (
	"bufio"
	"bytes"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

const (
	// flowBytes is what a flow costs from the table to the report, where each is a conversation that no row documents:
	// 3.8 KB at the peak of a million of them.
	flowBytes = 4096
	// memoryShare is the part of the memory there is that flows may take.
	memoryShare = 4
	// leastFlows is what even a small machine must be able to tell apart; unknownFlows is for one that does not say how
	// much memory it has.
	leastFlows   = 1 << 20
	unknownFlows = 8 << 20
)

// defaultMaxFlows returns the cap of the flow table that the memory of this machine allows.
func defaultMaxFlows() int { return maxFlowsIn(availableMemory(os.ReadFile)) }

// maxFlowsIn returns how many flows so many bytes of memory are good for; 0 = not known.
func maxFlowsIn(memory uint64) int {
	if memory == 0 {
		return unknownFlows
	}
	return int(max(memory/memoryShare/flowBytes, leastFlows))
}

// availableMemory returns the bytes of memory that this process can have: the least of what the system has left, what its
// control group allows, and what the environment asks (GOMEMLIMIT). It is 0 where none of them is known.
func availableMemory(read func(string) ([]byte, error)) uint64 {
	least := uint64(math.MaxInt64)
	known := func(n uint64, ok bool) {
		if ok {
			least = min(least, n)
		}
	}
	known(uint64(debug.SetMemoryLimit(-1)), true)
	known(systemMemory(read))
	for _, name := range limitFiles(read) {
		text, err := read(name)
		n, bad := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64) // "max" is no limit
		known(n, err == nil && bad == nil)
	}
	if least == math.MaxInt64 {
		return 0
	}
	return least
}

// systemMemory reads MemAvailable of /proc/meminfo (proc(5)), in kibibytes there.
func systemMemory(read func(string) ([]byte, error)) (uint64, bool) {
	text, err := read("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "MemAvailable:" {
			n, err := strconv.ParseUint(fields[1], 10, 54)
			return n << 10, err == nil
		}
	}
	return 0, false
}

// limitFiles names the files that hold the memory limits of this process's control groups (cgroups(7)): of version 2 in
// its group and those above it, of version 1 in its memory group.
func limitFiles(read func(string) ([]byte, error)) []string {
	text, err := read("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	var names []string
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		_, rest, _ := strings.Cut(lines.Text(), ":")
		controllers, group, ok := strings.Cut(rest, ":")
		switch {
		case !ok:
		case controllers == "":
			for ; ; group = path.Dir(group) {
				names = append(names, path.Join("/sys/fs/cgroup", group, "memory.max"))
				if group == "/" || group == "." {
					break
				}
			}
		case strings.Contains(controllers, "memory"):
			names = append(names, path.Join("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes"),
				"/sys/fs/cgroup/memory/memory.limit_in_bytes")
		}
	}
	return names
}
