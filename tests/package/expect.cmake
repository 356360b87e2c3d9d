# What tapir::tapir brings to its users: an include folder and C++20. No flag, no definition, no library.
function(expect_nothing_leaks)
  foreach(property INTERFACE_COMPILE_OPTIONS INTERFACE_COMPILE_DEFINITIONS INTERFACE_LINK_OPTIONS
                   INTERFACE_LINK_LIBRARIES)
    get_target_property(value tapir::tapir ${property})
    string(GENEX_STRIP "${value}" value)
    if(value)
      message(FATAL_ERROR "tapir::tapir has ${property} ${value}")
    endif()
  endforeach()
  foreach(variable CMAKE_CXX_FLAGS CMAKE_CXX_FLAGS_RELEASE CMAKE_CXX_STANDARD CMAKE_BUILD_TYPE BUILD_SHARED_LIBS
                   CMAKE_CXX_VISIBILITY_PRESET CMAKE_POSITION_INDEPENDENT_CODE CMAKE_MODULE_PATH)
    if(NOT "${${variable}}" STREQUAL "${before_${variable}}")
      message(FATAL_ERROR "${variable} was '${before_${variable}}', now it is '${${variable}}'")
    endif()
  endforeach()
  get_directory_property(options COMPILE_OPTIONS)
  get_directory_property(definitions COMPILE_DEFINITIONS)
  if(options OR definitions)
    message(FATAL_ERROR "the folder's options are '${options}', its definitions '${definitions}'")
  endif()
endfunction()

foreach(variable CMAKE_CXX_FLAGS CMAKE_CXX_FLAGS_RELEASE CMAKE_CXX_STANDARD CMAKE_BUILD_TYPE BUILD_SHARED_LIBS
                 CMAKE_CXX_VISIBILITY_PRESET CMAKE_POSITION_INDEPENDENT_CODE CMAKE_MODULE_PATH)
  set(before_${variable} "${${variable}}")
endforeach()
