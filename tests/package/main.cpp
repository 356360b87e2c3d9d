#include <tapir/tapir.h>

// Built by users of the package: exits with 0 if the library they got works.
int main() { return tapir::ones({2, 3}).sum().item<float>() == 6.0f ? 0 : 1; }
