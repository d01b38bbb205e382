# `cmake --install` gives headers, library, package files and the tool; find_package(bitnet) then finds bitnet::bitnet.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
install(TARGETS bitnet bitnet_flags EXPORT bitnetTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/bitnet DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h"
  # Headers of tests stay at home.
  PATTERN "testing" EXCLUDE PATTERN "*_testing.h" EXCLUDE PATTERN "test_*.h" EXCLUDE PATTERN "scripted_*.h" EXCLUDE
  PATTERN "fake_pool.h" EXCLUDE PATTERN "sample_report.h" EXCLUDE PATTERN "sample_document.h" EXCLUDE)
install(EXPORT bitnetTargets NAMESPACE bitnet:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/bitnet)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/bitnetConfig.cmake.in
  ${PROJECT_BINARY_DIR}/bitnetConfig.cmake INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/bitnet)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/bitnetConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/bitnetConfig.cmake ${PROJECT_BINARY_DIR}/bitnetConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/bitnet)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/models/ DESTINATION ${CMAKE_INSTALL_DATADIR}/bitnet/models)
if(TARGET bitnet-cli)
  install(TARGETS bitnet-cli DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
