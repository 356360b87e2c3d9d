# Tapir under libtorch's names. TorchConfig.cmake lies in compat/ beside TapirConfig.cmake, in the build tree and when
# installed, where only a Torch_DIR finds it: installing Tapir never takes the place of a libtorch. Every header that
# forwarded.txt names is torch/torch.h.
set(forwarded_dir ${PROJECT_BINARY_DIR}/compat/include)
file(STRINGS compat/forwarded.txt forwarded)
foreach(header ${forwarded})
  file(CONFIGURE OUTPUT ${forwarded_dir}/${header} CONTENT "#pragma once\n#include \"torch/torch.h\"\n" @ONLY)
endforeach()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS compat/forwarded.txt)
set(TAPIR_COMPAT_INCLUDE_DIRS "\"${PROJECT_SOURCE_DIR}/compat\" \"${forwarded_dir}\"")
configure_file(compat/TorchConfig.cmake.in ${PROJECT_BINARY_DIR}/compat/TorchConfig.cmake @ONLY)

if(TAPIR_INSTALL)
  # From .../cmake/Tapir/compat up to the prefix and into its include/.
  file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/cmake/Tapir/compat /${CMAKE_INSTALL_INCLUDEDIR}/tapir/compat)
  set(TAPIR_COMPAT_INCLUDE_DIRS "\"\${CMAKE_CURRENT_LIST_DIR}/${up}\"")
  configure_file(compat/TorchConfig.cmake.in ${PROJECT_BINARY_DIR}/compat/installed/TorchConfig.cmake @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/compat/installed/TorchConfig.cmake
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Tapir/compat)
  install(DIRECTORY compat/ ${forwarded_dir}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tapir/compat FILES_MATCHING PATTERN "*.h")
endif()
