# What libtapir.so is made with. docs/building.md says what each is for and which packages bring it.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(fmt REQUIRED)
find_package(hwy REQUIRED)
add_library(tapir_hwy INTERFACE) # the headers without the library: Note [Highway without its library]
target_include_directories(tapir_hwy SYSTEM INTERFACE $<TARGET_PROPERTY:hwy::hwy,INTERFACE_INCLUDE_DIRECTORIES>)
find_package(nlohmann_json REQUIRED)

# Libraries that may be missing: without them JPEG or PNG images are refused, with a message that says so.
add_library(tapir_images INTERFACE)
foreach(library JPEG PNG)
  find_package(${library} QUIET)
  if(${library}_FOUND)
    target_compile_definitions(tapir_images INTERFACE TAPIR_HAVE_${library}=1)
    target_link_libraries(tapir_images INTERFACE ${library}::${library})
  else()
    message(STATUS "Tapir is built without images in ${library} files: their library was not found")
  endif()
endforeach()

# A library found by its header and its file. Debian's dnnl-config.cmake demands OpenCL's development files, and its
# libblas.so may be the slow reference BLAS, so these two are not looked up as packages.
function(tapir_find_library target header library suffix packages)
  find_path(${target}_INCLUDE_DIR ${header} PATH_SUFFIXES ${suffix})
  find_library(${target}_LIBRARY NAMES ${library} PATH_SUFFIXES ${suffix})
  mark_as_advanced(${target}_INCLUDE_DIR ${target}_LIBRARY)
  if(NOT ${target}_INCLUDE_DIR OR NOT ${target}_LIBRARY)
    message(FATAL_ERROR "Tapir needs ${header} and lib${library}. On Debian or Ubuntu: apt-get install ${packages}")
  endif()
  add_library(${target} INTERFACE)
  target_include_directories(${target} SYSTEM INTERFACE ${${target}_INCLUDE_DIR})
  target_link_libraries(${target} INTERFACE ${${target}_LIBRARY})
endfunction()

# The OpenMP build of OpenBLAS: its threads are the ones oneDNN uses, so that the two don't oversubscribe the machine.
# It is opened when linear algebra is first used (tensor/cpu/openblas.cpp), by the name that a linker would note.
tapir_find_library(tapir_openblas cblas.h openblas openblas-openmp libopenblas-openmp-dev)
execute_process(COMMAND ${CMAKE_READELF} -d ${tapir_openblas_LIBRARY} OUTPUT_VARIABLE dynamic ERROR_QUIET)
if(dynamic MATCHES "SONAME[^[]*\\[([^]]+)\\]")
  set(openblas_name ${CMAKE_MATCH_1})
else()
  get_filename_component(openblas_name ${tapir_openblas_LIBRARY} NAME)
endif()
get_filename_component(openblas_folder ${tapir_openblas_LIBRARY} DIRECTORY)
set_source_files_properties(tensor/cpu/openblas.cpp PROPERTIES COMPILE_DEFINITIONS
  "TAPIR_OPENBLAS_FOLDER=\"${openblas_folder}\";TAPIR_OPENBLAS_NAME=\"${openblas_name}\"")
tapir_find_library(tapir_dnnl oneapi/dnnl/dnnl.h dnnl "" libdnnl-dev)

# libbacktrace comes with gcc, in its own folder. Where it is there and can go into a shared library, errors name
# source lines instead of addresses.
include(CheckCXXSourceCompiles)
include(CMakePushCheckState)
add_library(tapir_backtrace INTERFACE)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(TAPIR_GCC ${CMAKE_CXX_COMPILER})
else()
  find_program(TAPIR_GCC gcc)
  mark_as_advanced(TAPIR_GCC)
endif()
if(TAPIR_GCC)
  execute_process(COMMAND ${TAPIR_GCC} -print-file-name=libbacktrace.a
    OUTPUT_VARIABLE backtrace_archive OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(IS_ABSOLUTE "${backtrace_archive}")
    get_filename_component(backtrace_folder ${backtrace_archive} DIRECTORY)
    cmake_push_check_state(RESET)
    set(CMAKE_REQUIRED_FLAGS "-fPIC -idirafter ${backtrace_folder}/include")
    set(CMAKE_REQUIRED_LIBRARIES ${backtrace_archive})
    set(CMAKE_REQUIRED_LINK_OPTIONS -shared -Wl,-z,defs)
    check_cxx_source_compiles("#include <backtrace.h>
      void* make() { return backtrace_create_state(nullptr, 1, nullptr, nullptr); }" TAPIR_HAVE_BACKTRACE)
    cmake_pop_check_state()
  endif()
endif()
if(TAPIR_HAVE_BACKTRACE)
  target_compile_definitions(tapir_backtrace INTERFACE TAPIR_HAVE_BACKTRACE=1)
  target_compile_options(tapir_backtrace INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:SHELL:-idirafter ${backtrace_folder}/include>)
  target_link_libraries(tapir_backtrace INTERFACE ${backtrace_archive})
endif()
