# One helper for each kind of target; everything is a property of the target.

# What every C++ target of Kiln has: include root, warnings, sanitizers. GCC 12 warns falsely of
# overlapping and too large memcpy in std::string (its bugs 105651 and 105329).
function(kiln_target_defaults target)
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}")
  target_include_directories(${target} SYSTEM PRIVATE ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Werror -Wno-unused-parameter -Wno-restrict -Wno-stringop-overflow -fno-rtti>)
  target_compile_definitions(${target} PRIVATE ${LLVM_DEFINITIONS_LIST})
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "EXECUTABLE") # one kind of code for all, so that all can read the precompiled headers
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIC)
  endif()
  if(KILN_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=address,undefined -fno-sanitize=vptr -fno-omit-frame-pointer
      -Wno-maybe-uninitialized) # GCC 12 takes the checks themselves for reads
    target_link_options(${target} PRIVATE -fsanitize=address,undefined)
  endif()
endfunction()

# Headers of LLVM and MLIR that most sources need, parsed once for all targets that link them.
function(kiln_precompiled name)
  set(source "${PROJECT_BINARY_DIR}/${name}.cpp")
  file(CONFIGURE OUTPUT "${source}" CONTENT "")
  add_library(${name} OBJECT "${source}")
  kiln_target_defaults(${name})
  target_precompile_headers(${name} PRIVATE ${ARGN})
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

# Links the libraries, and reads the precompiled headers of the dialect, MLIR or LLVM where they are among them.
function(kiln_link target scope)
  target_link_libraries(${target} ${scope} ${ARGN})
  if("KilnIR" IN_LIST ARGN OR target STREQUAL "KilnIR")
    target_precompile_headers(${target} REUSE_FROM KilnPrecompiledOps)
  elseif("MLIR" IN_LIST ARGN)
    target_precompile_headers(${target} REUSE_FROM KilnPrecompiledMLIR)
  elseif("LLVM" IN_LIST ARGN)
    target_precompile_headers(${target} REUSE_FROM KilnPrecompiledLLVM)
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
