//go:build amd64 || arm64

#include "textflag.h"

#ifdef GOARCH_amd64
#define LINES AX
#define LOAD MOVQ
#define FETCH(i) \
	MOVQ (8*i)(AX), BX; \
	PREFETCHT0 (BX)
#else
#define LINES R0
#define LOAD MOVD
#define FETCH(i) \
	MOVD (8*i)(R0), R1; \
	PRFM (R1), PLDL1KEEP
#endif

// func fetch(lines *[groupSize]unsafe.Pointer)
TEXT ·fetch(SB), NOSPLIT|NOFRAME, $0-8
	LOAD lines+0(FP), LINES
	FETCH(0)
	FETCH(1)
	FETCH(2)
	FETCH(3)
	FETCH(4)
	FETCH(5)
	FETCH(6)
	FETCH(7)
	RET
