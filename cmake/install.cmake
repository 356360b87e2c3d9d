# cmake --install: the library, its headers, and a package that works wherever the tree is moved to.
include(CMakePackageConfigHelpers)

# A folder that the linker found a library in and that the loader wouldn't search goes into the run path.
# The build tree's file has it from the start: otherwise CMake reserves the room with colons, which the loader reads as
# the current folder.
set_target_properties(tapir tapir_models PROPERTIES INSTALL_RPATH "$ORIGIN" INSTALL_RPATH_USE_LINK_PATH ON
  BUILD_WITH_INSTALL_RPATH ON)
install(TARGETS tapir tapir_models EXPORT TapirTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(header ${TAPIR_PUBLIC_HEADERS})
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tapir/${folder})
endforeach()
install(FILES tapir.h ${TAPIR_INCLUDE_DIR}/tapir/config.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tapir)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/Tapir)
configure_package_config_file(cmake/TapirConfig.cmake.in ${PROJECT_BINARY_DIR}/TapirConfig.cmake
  INSTALL_DESTINATION ${package} NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/TapirConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/TapirConfig.cmake ${PROJECT_BINARY_DIR}/TapirConfigVersion.cmake
  DESTINATION ${package})
install(EXPORT TapirTargets NAMESPACE tapir:: DESTINATION ${package})

# The build tree is a package too: -DTapir_DIR=build/release.
export(EXPORT TapirTargets NAMESPACE tapir:: FILE ${PROJECT_BINARY_DIR}/TapirTargets.cmake)
