# Helpers every folder's CMakeLists uses, so that a target is three lines and warnings are the same everywhere.
include(GoogleTest)

# What the presets asan and tsan instrument for; empty without. It costs time: tests get this many times theirs.
set(JOBHOST_SANITIZE "" CACHE STRING "The sanitizers of this build, as -fsanitize= has them")
set(JOBHOST_SLOWNESS 1)
if(JOBHOST_SANITIZE)
  set(JOBHOST_SLOWNESS 5)
endif()

add_library(jobhost_warnings INTERFACE)
target_compile_options(jobhost_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wcast-align -Woverloaded-virtual
  -Wno-missing-field-initializers  # designated initialisers leave the rest to its defaults on purpose
  $<$<BOOL:${JOBHOST_WERROR}>:-Werror>)
if(JOBHOST_SANITIZE)
  # gcc guesses wrong about variants in the code that sanitizers add.
  target_compile_options(jobhost_warnings INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
endif()

add_library(jobhost_warnings_c INTERFACE)
target_compile_options(jobhost_warnings_c INTERFACE -Wall -Wextra -Wpedantic -Wshadow $<$<BOOL:${JOBHOST_WERROR}>:-Werror>)

# jobhost_add_part(<folder> SOURCES a.cpp … PUBLIC libs… PRIVATE libs…)
# One static library per folder of host/, `jobhost_<folder>` with the alias `jobhost::<folder>`. Includes are written
# from host/ ("core/job.hpp"). A part without sources is an INTERFACE library.
function(jobhost_add_part name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  if(ARG_SOURCES)
    add_library(jobhost_${name} STATIC ${ARG_SOURCES})
    target_include_directories(jobhost_${name} PUBLIC "${PROJECT_SOURCE_DIR}/host")
    target_link_libraries(jobhost_${name} PUBLIC ${ARG_PUBLIC} PRIVATE jobhost_warnings ${ARG_PRIVATE})
  else()
    add_library(jobhost_${name} INTERFACE)
    target_include_directories(jobhost_${name} INTERFACE "${PROJECT_SOURCE_DIR}/host")
    target_link_libraries(jobhost_${name} INTERFACE ${ARG_PUBLIC})
  endif()
  add_library(jobhost::${name} ALIAS jobhost_${name})
endfunction()

# jobhost_add_test(<name> SOURCES … LIBS … [LABELS …] [ENVIRONMENT …] [TIMEOUT s] [SERIAL])
# A GoogleTest executable whose cases are CTest tests. SERIAL: its cases do not run beside other tests. TIMEOUT ends a
# case that hangs: many times what one takes, for a machine that is busy with other things may be that slow.
function(jobhost_add_test name)
  cmake_parse_arguments(ARG "SERIAL" "TIMEOUT" "SOURCES;LIBS;LABELS;ENVIRONMENT" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 600)
  endif()
  math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * ${JOBHOST_SLOWNESS}")
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/host" "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} GTest::gtest GTest::gmock GTest::gtest_main jobhost_warnings)
  target_compile_definitions(${name} PRIVATE
    JOBHOST_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}"
    JOBHOST_PLUGIN_DIR="${JOBHOST_PLUGIN_OUTPUT_DIRECTORY}"
    JOBHOST_TEST_PLUGIN_DIR="${JOBHOST_TEST_PLUGIN_OUTPUT_DIRECTORY}"
    JOBHOST_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  set(properties TIMEOUT ${ARG_TIMEOUT})
  if(ARG_LABELS)
    list(APPEND properties LABELS "${ARG_LABELS}")
  endif()
  if(ARG_SERIAL)
    list(APPEND properties RUN_SERIAL TRUE)
  endif()
  if(ARG_ENVIRONMENT)
    list(APPEND properties ENVIRONMENT "${ARG_ENVIRONMENT}")
  endif()
  gtest_discover_tests(${name} NO_PRETTY_VALUES DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 120 PROPERTIES ${properties})
endfunction()
