add_executable(jobhost main.cpp app.cpp app_options.cpp data_lock.cpp)
target_include_directories(jobhost PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
target_compile_definitions(jobhost PRIVATE JOBHOST_VERSION="${PROJECT_VERSION}"
  JOBHOST_REFERENCE_FROM_PREFIX="${CMAKE_INSTALL_DATADIR}/jobhost/reference"
  JOBHOST_RUNNER_FROM_PREFIX="${CMAKE_INSTALL_LIBEXECDIR}/jobhost/jobhost-runner")
target_link_libraries(jobhost PRIVATE jobhost_warnings jobhost::cli jobhost::api jobhost::fetch jobhost::services jobhost::pool
  jobhost::dispatch jobhost::jobs jobhost::events jobhost::store jobhost::catalog jobhost::settings jobhost::telemetry)
install(TARGETS jobhost RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT host)

# Swagger UI for the page /api/v1/docs, which ./dev fetches with npm; without it the page is a plain one. It lies in the
# build folder as it does below an installed prefix, so that the host finds it in the same way.
set(JOBHOST_REFERENCE "${PROJECT_SOURCE_DIR}/build/reference/node_modules/swagger-ui-dist" CACHE PATH "Swagger UI's files")
if(EXISTS "${JOBHOST_REFERENCE}/swagger-ui-bundle.js")
  foreach(file swagger-ui-bundle.js swagger-ui-bundle.js.LICENSE.txt swagger-ui.css LICENSE NOTICE)
    if(EXISTS "${JOBHOST_REFERENCE}/${file}")
      configure_file("${JOBHOST_REFERENCE}/${file}" "${CMAKE_BINARY_DIR}/${CMAKE_INSTALL_DATADIR}/jobhost/reference/${file}" COPYONLY)
      install(FILES "${JOBHOST_REFERENCE}/${file}" DESTINATION "${CMAKE_INSTALL_DATADIR}/jobhost/reference" COMPONENT host)
    endif()
  endforeach()
endif()
