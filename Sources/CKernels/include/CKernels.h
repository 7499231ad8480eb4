// Our own loops, one family per file. Every kernel returns sums; arguments are primitive; a name
// ends in the dimensions of what it points to.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "fixedpoint.h"
#include "optimizer.h"
