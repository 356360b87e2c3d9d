# <tapir/nn/linear.h> is nn/linear.h: through links here, in include/tapir/nn/ when installed.
set(TAPIR_INCLUDE_DIR ${PROJECT_BINARY_DIR}/include)
file(MAKE_DIRECTORY ${TAPIR_INCLUDE_DIR}/tapir)
foreach(name tensor autograd nn optim data io models cuda tapir.h)
  if(NOT EXISTS ${TAPIR_INCLUDE_DIR}/tapir/${name})
    file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${name} ${TAPIR_INCLUDE_DIR}/tapir/${name} SYMBOLIC)
  endif()
endforeach()
if(TAPIR_CUDA_FOUND)
  set(TAPIR_CONFIG_CUDA 1)
else()
  set(TAPIR_CONFIG_CUDA 0)
endif()
configure_file(cmake/config.h.in ${TAPIR_INCLUDE_DIR}/tapir/config.h @ONLY)

# Public headers are installed, compile alone and include little. The others are listed, by file or folder.
file(GLOB_RECURSE TAPIR_PUBLIC_HEADERS CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
  tensor/*.h tensor/*.def autograd/*.h autograd/*.def nn/*.h optim/*.h data/*.h io/*.h models/*.h cuda/cuda.h)
file(STRINGS cmake/private_headers.txt private_headers)
foreach(private ${private_headers})
  list(FILTER TAPIR_PUBLIC_HEADERS EXCLUDE REGEX "^${private}")
endforeach()
