#include "textflag.h"

#define FETCH(i) \
	MOVQ (8*i)(AX), BX; \
	PREFETCHT0 (BX)

// func fetch(lines *[groupSize]unsafe.Pointer)
TEXT ·fetch(SB), NOSPLIT|NOFRAME, $0-8
	MOVQ lines+0(FP), AX
	FETCH(0)
	FETCH(1)
	FETCH(2)
	FETCH(3)
	FETCH(4)
	FETCH(5)
	FETCH(6)
	FETCH(7)
	RET
