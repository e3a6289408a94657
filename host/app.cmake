add_executable(jobhost main.cpp app.cpp app_options.cpp data_lock.cpp)
target_include_directories(jobhost PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
target_compile_definitions(jobhost PRIVATE JOBHOST_VERSION="${PROJECT_VERSION}"
  JOBHOST_RUNNER_FROM_PREFIX="${CMAKE_INSTALL_LIBEXECDIR}/jobhost/jobhost-runner")
target_link_libraries(jobhost PRIVATE jobhost_warnings jobhost::cli jobhost::api jobhost::fetch jobhost::services jobhost::pool
  jobhost::dispatch jobhost::jobs jobhost::events jobhost::store jobhost::catalog jobhost::settings jobhost::telemetry)
install(TARGETS jobhost RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT host)
