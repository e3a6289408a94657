# The .deb of the SDK depends on the package jobhost, which has the tools; `cmake --install --component sdk` brings them.
file(GLOB tools "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*sdk*/usr/bin" "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*sdk*/usr/libexec")
if(tools)
  file(REMOVE_RECURSE ${tools})
endif()
