// What a shared libgemma3n shows to its users; everything else in it is hidden.
#pragma once

#if defined(__GNUC__)
#define GEMMA3N_API __attribute__((visibility("default")))
#else
#define GEMMA3N_API
#endif
