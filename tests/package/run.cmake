# Installs TAPIR_BUILD, moves the installed tree, builds and runs its users: a project, projects written for libtorch, the
# README's program. Then lets a user have TAPIR_SOURCE as a subproject, and compiles (without building the library once
# more). WORK is a folder to do it in.
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    string(REPLACE ";" " " command "${ARGV}")
    message(FATAL_ERROR "${command}\n${output}\nexit status: ${result}")
  endif()
endfunction()

set(users ${CMAKE_CURRENT_LIST_DIR})
set(configure ${CMAKE_COMMAND} -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER=${COMPILER})
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})

run(${CMAKE_COMMAND} --install ${TAPIR_BUILD} --prefix ${WORK}/here)
file(RENAME ${WORK}/here ${WORK}/moved)
run(${configure} -S ${users}/installed -B ${WORK}/installed -DCMAKE_PREFIX_PATH=${WORK}/moved)
run(${CMAKE_COMMAND} --build ${WORK}/installed)
foreach(program first second below/below models libtorch_program)
  run(${WORK}/installed/${program})
endforeach()

# Programs written for libtorch, which find Tapir through Torch_DIR.
file(GLOB_RECURSE torch_package ${WORK}/moved/*/TorchConfig.cmake)
get_filename_component(torch_dir ${torch_package} DIRECTORY)
run(${configure} -S ${users}/torch -B ${WORK}/torch -DTorch_DIR=${torch_dir})
run(${CMAKE_COMMAND} --build ${WORK}/torch)
foreach(program classify generate modules names weights)
  run(${CMAKE_COMMAND} -E chdir ${WORK}/torch ./${program})
endforeach()
execute_process(COMMAND ${WORK}/torch/optimize OUTPUT_FILE ${WORK}/torch/optimize.txt COMMAND_ERROR_IS_FATAL ANY)
run(${CMAKE_COMMAND} -E compare_files ${WORK}/torch/optimize.txt ${users}/torch/optimize.txt)

# The README's program, with the README's CMakeLists.txt.
file(READ ${TAPIR_SOURCE}/README.md readme)
foreach(part "reader.cpp;```cpp\n(.*)\n```\n\n    cmake_min" "CMakeLists.txt;\n(    cmake_minimum.*tapir::tapir\\))\n")
  list(POP_FRONT part name)
  if(NOT readme MATCHES "${part}")
    message(FATAL_ERROR "README.md holds no ${name} any more")
  endif()
  file(CONFIGURE OUTPUT ${WORK}/readme/${name} CONTENT "${CMAKE_MATCH_1}" @ONLY)
endforeach()
run(${configure} -S ${WORK}/readme -B ${WORK}/readme/build -DCMAKE_PREFIX_PATH=${WORK}/moved)
run(${CMAKE_COMMAND} --build ${WORK}/readme/build)
run(${WORK}/readme/build/reader)

run(${configure} -S ${users}/subproject -B ${WORK}/subproject -DTAPIR_SOURCE=${TAPIR_SOURCE} -DTAPIR_CUDA=OFF)
run(${CMAKE_COMMAND} --build ${WORK}/subproject --target user)
