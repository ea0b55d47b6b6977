#include "mask/rle.h"
