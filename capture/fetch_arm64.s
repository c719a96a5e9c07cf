#include "textflag.h"

#define FETCH(i) \
	MOVD (8*i)(R0), R1; \
	PRFM (R1), PLDL1KEEP

// func fetch(lines *[groupSize]unsafe.Pointer)
TEXT ·fetch(SB), NOSPLIT|NOFRAME, $0-8
	MOVD lines+0(FP), R0
	FETCH(0)
	FETCH(1)
	FETCH(2)
	FETCH(3)
	FETCH(4)
	FETCH(5)
	FETCH(6)
	FETCH(7)
	RET
