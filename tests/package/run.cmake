# Installs TAPIR_BUILD, moves the installed tree, builds and runs a user of it; then lets a user have TAPIR_SOURCE as a
# subproject, and compiles (without building the library once more). WORK is a folder to do it in.
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
foreach(program first second below/below libtorch_program)
  run(${WORK}/installed/${program})
endforeach()

run(${configure} -S ${users}/subproject -B ${WORK}/subproject -DTAPIR_SOURCE=${TAPIR_SOURCE} -DTAPIR_CUDA=OFF)
run(${CMAKE_COMMAND} --build ${WORK}/subproject --target user)
