// Our own loops, one family per file. Every kernel returns sums; arguments are primitive; a name
// ends in the dimensions of what it points to; a stride is the distance of two rows in elements.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "attention.h"
#include "bf16.h"
#include "decoder.h"
#include "fixedpoint.h"
#include "head.h"
#include "lowrank.h"
#include "optimizer.h"
#include "philox.h"
#include "product.h"
#include "scalar.h"
