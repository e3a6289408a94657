# jobhost_add_plugin(<name> SOURCES a.cpp … [MANIFEST plugin.json] [LINK libs…] [OUTPUT_DIRECTORY dir])
#
# A plugin: a MODULE <name>.so that exports the entry and nothing else, leaves nothing undefined and binds at load.
# MANIFEST turns a JSON file into the header <jobhost_manifest.h> with the string literal JOBHOST_MANIFEST_JSON, to be used as
# JOBHOST_MANIFEST(JOBHOST_MANIFEST_JSON); without it the manifest is written in the source.
# OUTPUT_DIRECTORY: where the file goes; default JOBHOST_PLUGIN_OUTPUT_DIRECTORY when set, else the build folder.
#
# jobhost_add_plugin_check(<name> [arguments of `jobhost plugin check`…])
#
# A CTest test `<name>.check` that holds the plugin against the rules of the SDK.

set(JOBHOST_PLUGIN_VERSION_SCRIPT "${CMAKE_CURRENT_LIST_DIR}/plugin.map" CACHE INTERNAL "What a plugin exports")

function(jobhost_add_plugin name)
  cmake_parse_arguments(ARG "" "MANIFEST;OUTPUT_DIRECTORY" "SOURCES;LINK" ${ARGN})
  if(NOT ARG_SOURCES)
    message(FATAL_ERROR "jobhost_add_plugin(${name}): SOURCES is missing")
  endif()
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "jobhost_add_plugin(${name}): unknown arguments: ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  add_library(${name} MODULE ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE jobhost::sdk ${ARG_LINK})
  set_target_properties(${name} PROPERTIES
    PREFIX "" POSITION_INDEPENDENT_CODE ON
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    BUILD_RPATH_USE_ORIGIN ON INSTALL_RPATH "$ORIGIN/lib")
  target_compile_options(${name} PRIVATE -ffunction-sections -fdata-sections
    $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-fno-gnu-unique>)
  target_link_options(${name} PRIVATE
    "-Wl,--version-script=${JOBHOST_PLUGIN_VERSION_SCRIPT}" -Wl,--exclude-libs,ALL -Wl,-z,now -Wl,-z,relro -Wl,-z,noexecstack
    -Wl,--gc-sections -Wl,--build-id=sha1)
  # Sanitizers leave their own symbols to the executable.
  if(NOT "${CMAKE_CXX_FLAGS} ${CMAKE_C_FLAGS}" MATCHES "-fsanitize=")
    target_link_options(${name} PRIVATE -Wl,-z,defs)
  endif()
  set_property(TARGET ${name} APPEND PROPERTY LINK_DEPENDS "${JOBHOST_PLUGIN_VERSION_SCRIPT}")
  if(TARGET jobhost_warnings AND NOT "${ARG_SOURCES}" MATCHES "\\.c(;|$)")
    target_link_libraries(${name} PRIVATE jobhost_warnings)
  endif()
  if(ARG_OUTPUT_DIRECTORY)
    set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${ARG_OUTPUT_DIRECTORY}")
  elseif(JOBHOST_PLUGIN_OUTPUT_DIRECTORY)
    set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${JOBHOST_PLUGIN_OUTPUT_DIRECTORY}")
  endif()
  if(ARG_MANIFEST)
    jobhost_manifest_header(${name} "${ARG_MANIFEST}")
  endif()
endfunction()

# The JSON file as a C string literal; made again when the file changes.
function(jobhost_manifest_header name manifest)
  get_filename_component(manifest "${manifest}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_SOURCE_DIR}")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${manifest}")
  file(READ "${manifest}" json)
  string(JSON id ERROR_VARIABLE wrong GET "${json}" id)
  if(wrong)
    message(FATAL_ERROR "jobhost_add_plugin(${name}): ${manifest}: ${wrong}")
  endif()
  string(REPLACE "\\" "\\\\" json "${json}")
  string(REPLACE "\"" "\\\"" json "${json}")
  string(REPLACE "\r" "" json "${json}")
  string(REPLACE "\n" "\\n\"\n  \"" json "${json}")
  string(REPLACE "\n" " \\\n" json "${json}")
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${name}_manifest")
  file(WRITE "${folder}/jobhost_manifest.h.new" "#define JOBHOST_MANIFEST_JSON \\\n  \"${json}\"\n")
  file(COPY_FILE "${folder}/jobhost_manifest.h.new" "${folder}/jobhost_manifest.h" ONLY_IF_DIFFERENT)
  target_include_directories(${name} PRIVATE "${folder}")
endfunction()

function(jobhost_add_plugin_check name)
  if(NOT JOBHOST_EXECUTABLE)
    message(FATAL_ERROR "jobhost_add_plugin_check(${name}): no program jobhost; set JOBHOST_EXECUTABLE")
  endif()
  add_test(NAME ${name}.check COMMAND "${JOBHOST_EXECUTABLE}" plugin check ${ARGN} "$<TARGET_FILE:${name}>")
endfunction()
