# One helper for each kind of target; everything is a property of the target.

# What every C++ target of Kiln has: include root, warnings, sanitizers. GCC 12 warns falsely of
# overlapping and too large memcpy in std::string (its bugs 105651 and 105329), clang of what its
# std::stable_sort uses.
function(kiln_target_defaults target)
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}")
  target_include_directories(${target} SYSTEM PRIVATE ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Werror -Wno-unused-parameter -fno-rtti -fno-exceptions>
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict -Wno-stringop-overflow>
    $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Wno-deprecated-declarations>)
  target_compile_definitions(${target} PRIVATE ${LLVM_DEFINITIONS_LIST})
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "EXECUTABLE") # one kind of code for all, so that all can read the precompiled headers
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIC)
  endif()
  if(KILN_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=address,undefined -fno-sanitize=vptr -fno-omit-frame-pointer
      $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>) # GCC 12 takes the checks themselves for reads
    target_link_options(${target} PRIVATE -fsanitize=address,undefined)
  endif()
endfunction()

# Headers of LLVM and MLIR that most sources need, parsed once for all targets that link them. A precompiled
# header of clang names the folder it was made in: ccache neither keeps it nor compares it, but the sum of its text.
function(kiln_precompiled name)
  set(source "${PROJECT_BINARY_DIR}/${name}.cpp")
  file(CONFIGURE OUTPUT "${source}" CONTENT "")
  add_library(${name} OBJECT "${source}")
  kiln_target_defaults(${name})
  target_precompile_headers(${name} PRIVATE ${ARGN})
  if(CMAKE_CXX_COMPILER_ID STREQUAL Clang AND CCACHE_PROGRAM)
    list(TRANSFORM ARGN REPLACE "^([^<].*)$" "\"\\1\"" OUTPUT_VARIABLE headers)
    list(TRANSFORM headers PREPEND "#include ")
    list(JOIN headers "\n" text)
    file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/${name}Text.cpp" CONTENT "${text}\n" @ONLY)
    add_library(${name}Text OBJECT "${PROJECT_BINARY_DIR}/${name}Text.cpp")
    kiln_target_defaults(${name}Text)
    target_compile_options(${name}Text PRIVATE -E -P -dD -Wno-unused-command-line-argument)
    set_target_properties(${name} PROPERTIES CXX_COMPILER_LAUNCHER "")
    set(header "${PROJECT_BINARY_DIR}/CMakeFiles/${name}.dir/cmake_pch.hxx.pch")
    add_custom_command(OUTPUT "${header}.sum" VERBATIM WORKING_DIRECTORY "${PROJECT_BINARY_DIR}"
      COMMAND ${CMAKE_COMMAND} -E sha256sum "CMakeFiles/${name}Text.dir/${name}Text.cpp.o" > "${header}.sum"
      DEPENDS ${name}Text "$<TARGET_OBJECTS:${name}Text>" "${header}")
    add_custom_target(${name}Sum DEPENDS "${header}.sum")
  endif()
endfunction()

kiln_precompiled(KilnPrecompiledLLVM <map> <memory> <optional> <string> <vector>
  <llvm/ADT/DenseMap.h> <llvm/ADT/StringExtras.h> <llvm/ADT/StringMap.h> <llvm/IR/IRBuilder.h> <llvm/IR/Module.h>
  <llvm/Support/Error.h> <llvm/Support/MemoryBuffer.h> <llvm/Support/raw_ostream.h>)
kiln_precompiled(KilnPrecompiledMLIR <map> <memory> <optional> <string> <vector>
  <mlir/Bytecode/BytecodeOpInterface.h> <mlir/Dialect/Func/IR/FuncOps.h> <mlir/IR/Builders.h> <mlir/IR/BuiltinOps.h>
  <mlir/IR/OpImplementation.h> <mlir/IR/PatternMatch.h> <mlir/IR/SymbolTable.h> <mlir/Interfaces/FunctionInterfaces.h>
  <mlir/Interfaces/InferTypeOpInterface.h> <mlir/Pass/Pass.h>)

# Most of what a source that sees the dialect costs is the text that TableGen writes for it.
kiln_precompiled(KilnPrecompiledOps <ir/KilnOps.h>)
add_dependencies(KilnPrecompiledOps KilnOpsIncGen)
if(TARGET KilnPrecompiledOpsText)
  add_dependencies(KilnPrecompiledOpsText KilnOpsIncGen)
endif()

# Links the libraries, and reads the precompiled headers of the dialect, of MLIR or of LLVM: the most that one of them reads.
function(kiln_link target scope)
  target_link_libraries(${target} ${scope} ${ARGN})
  set(read "${ARGN}")
  foreach(library IN LISTS ARGN)
    if(TARGET ${library})
      get_target_property(more ${library} KILN_READS)
      list(APPEND read ${more})
    endif()
  endforeach()
  if("Ops" IN_LIST read OR "KilnIR" IN_LIST read OR target STREQUAL "KilnIR")
    set(headers Ops)
  elseif("MLIR" IN_LIST read)
    set(headers MLIR)
  elseif("LLVM" IN_LIST read)
    set(headers LLVM)
  else()
    return()
  endif()
  set_target_properties(${target} PROPERTIES KILN_READS ${headers})
  if(TARGET KilnPrecompiled${headers}Sum) # in place of REUSE_FROM, whose options name the folder in a way that ccache does not see through
    set(header "${PROJECT_BINARY_DIR}/CMakeFiles/KilnPrecompiled${headers}.dir/cmake_pch.hxx.pch")
    target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Winvalid-pch -include-pch ${header}>")
    add_dependencies(${target} KilnPrecompiled${headers}Sum)
  else()
    target_precompile_headers(${target} REUSE_FROM KilnPrecompiled${headers})
  endif()
endfunction()

# kiln_library(NAME sources… [LINK libs…] [TABLEGEN targets…]): a static library of the compiler.
function(kiln_library name)
  cmake_parse_arguments(ARG "" "" "LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  kiln_target_defaults(${name})
  kiln_link(${name} PUBLIC ${ARG_LINK})
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()

# kiln_embed(TARGET SOURCE (MACRO file)…): the source carries the files' bytes in itself, by .incbin of the macros.
# ccache, which reads what the compiler says it read, is told of them.
function(kiln_embed target source)
  set(files "")
  while(ARGN)
    list(POP_FRONT ARGN macro file)
    set_property(SOURCE "${source}" APPEND PROPERTY COMPILE_DEFINITIONS "${macro}=\"${file}\"")
    set_property(SOURCE "${source}" APPEND PROPERTY OBJECT_DEPENDS "${file}")
    list(APPEND files "${file}")
  endwhile()
  if(CCACHE_PROGRAM)
    list(JOIN files ":" files)
    set_target_properties(${target} PROPERTIES CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND};-E;env;CCACHE_EXTRAFILES=${files};${CMAKE_CXX_COMPILER_LAUNCHER}")
  endif()
endfunction()

# kiln_tool(NAME sources… [LINK libs…]): an installed program.
function(kiln_tool name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  kiln_target_defaults(${name})
  kiln_link(${name} PRIVATE ${ARG_LINK})
  set_target_properties(${name} PROPERTIES BUILD_RPATH "${LLVM_LIBRARY_DIR}" INSTALL_RPATH "$ORIGIN/../lib;${LLVM_LIBRARY_DIR}")
  install(TARGETS ${name} RUNTIME DESTINATION bin)
endfunction()

# kiln_unit_test(NAME sources… [LINK libs…]): a GoogleTest program that lit runs.
function(kiln_unit_test name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  find_package(GTest REQUIRED)
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  kiln_target_defaults(${name})
  kiln_link(${name} PRIVATE ${ARG_LINK} GTest::gtest_main)
  set_target_properties(${name} PROPERTIES BUILD_RPATH "${LLVM_LIBRARY_DIR}"
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/test/unit")
  add_dependencies(kiln-unit-tests ${name})
endfunction()
