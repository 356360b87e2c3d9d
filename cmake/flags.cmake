# Flags of what is built here. Every one is private: who links tapir::tapir gets an include folder and C++20, no more.

# For each program and library of this repository.
function(tapir_flags target)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra> $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20;-Xcompiler=-Wall,-Wextra>)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  if(TAPIR_SANITIZE)
    target_compile_options(${target} PRIVATE
      -fsanitize=${TAPIR_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
    target_link_options(${target} PRIVATE -fsanitize=${TAPIR_SANITIZE})
  endif()
  if(TAPIR_BUILD_FUZZERS)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

# Relocations of the library's own addresses, packed: a bit each instead of 24 bytes. The loader must know them.
include(CheckCXXSourceCompiles)
include(CMakePushCheckState)
cmake_push_check_state(RESET)
set(CMAKE_REQUIRED_LINK_OPTIONS -shared -Wl,-z,pack-relative-relocs -Wl,--fatal-warnings)
set(CMAKE_REQUIRED_FLAGS -fPIC)
check_cxx_source_compiles("#include <features.h>
  #if !__GLIBC_PREREQ(2, 36)
  #error a loader that does not know them
  #endif
  int x; int* address() { return &x; }" TAPIR_HAVE_PACKED_RELOCATIONS)
cmake_pop_check_state()

# For libtapir.so.
function(tapir_library_flags target)
  set_target_properties(${target} PROPERTIES
    POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden CUDA_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON)
  # What is called by its exported name from inside is called directly. Thread-local pools are reached without a call.
  # Floating point: no errno; a * b + c is rounded twice wherever it is written so (kernels ask for FMA themselves), so
  # that the same formula gives the same number on every machine.
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:
    -fno-semantic-interposition;-ftls-model=initial-exec;-fno-math-errno;-ffp-contract=off>
    $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CONFIG:Release>>:-O2>)
  target_link_options(${target} PRIVATE -Wl,-Bsymbolic-functions -Wl,--as-needed -Wl,--exclude-libs,ALL)
  if(NOT TAPIR_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
  if(TAPIR_HAVE_PACKED_RELOCATIONS)
    target_link_options(${target} PRIVATE -Wl,-z,pack-relative-relocs)
  endif()
  file(GLOB kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tensor/cpu/*.cpp)
  set_property(SOURCE ${kernels} APPEND PROPERTY COMPILE_OPTIONS $<$<CONFIG:Release>:-O3>)
endfunction()
