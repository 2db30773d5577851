//===- WeightsObject.cpp - packed weights as an ELF object ----------------===//
//
// File order: ELF header, padding to a page, weights, symbol table, string table, section names,
// section headers. All sizes are known before the first byte is written.
//
//===----------------------------------------------------------------------===//
#include "codegen/link/WeightsObject.h"

#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Support/Alignment.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;

namespace kiln::link {

static constexpr uint64_t pageBytes = 4096, weightAlignment = 64;
/// Names of the sections; their offsets are used below.
static constexpr char sectionNames[] = "\0.lrodata\0.symtab\0.strtab\0.shstrtab\0.note.GNU-stack";
enum Section : uint16_t { Null, Weights, SymbolTable, Strings, SectionNames, Stack, NumSections };
static constexpr uint32_t nameOffsets[NumSections] = {0, 1, 10, 18, 26, 36};

template <typename T> static void writeRecord(raw_ostream &os, const T &record) {
  os.write(reinterpret_cast<const char *>(&record), sizeof(record));
}

static ELF::Elf64_Ehdr fileHeader(uint64_t sectionHeaders) {
  ELF::Elf64_Ehdr header = {};
  memcpy(header.e_ident, ELF::ElfMagic, 4);
  header.e_ident[ELF::EI_CLASS] = ELF::ELFCLASS64;
  header.e_ident[ELF::EI_DATA] = ELF::ELFDATA2LSB;
  header.e_ident[ELF::EI_VERSION] = ELF::EV_CURRENT;
  header.e_type = ELF::ET_REL;
  header.e_machine = ELF::EM_X86_64;
  header.e_version = ELF::EV_CURRENT;
  header.e_shoff = sectionHeaders;
  header.e_ehsize = sizeof(ELF::Elf64_Ehdr);
  header.e_shentsize = sizeof(ELF::Elf64_Shdr);
  header.e_shnum = NumSections;
  header.e_shstrndx = SectionNames;
  return header;
}

static Error writeWeights(raw_pwrite_stream &os, ArrayRef<WeightSymbol> symbols,
                          WeightSource source) {
  for (size_t i = 0; i < symbols.size(); ++i) {
    uint64_t begin = os.tell();
    if (Error error = source(i, [&](ArrayRef<uint8_t> bytes) {
          os.write(reinterpret_cast<const char *>(bytes.data()), bytes.size());
        }))
      return error;
    if (os.tell() - begin != symbols[i].bytes)
      return createStringError("weight '" + symbols[i].name + "': expected " +
                               Twine(symbols[i].bytes) + " bytes, got " + Twine(os.tell() - begin));
    os.write_zeros(unsigned(offsetToAlignment(os.tell(), Align(weightAlignment))));
  }
  return Error::success();
}

Error writeWeightsObject(raw_pwrite_stream &os, ArrayRef<WeightSymbol> symbols,
                         WeightSource source) {
  std::string strings(1, '\0');
  std::vector<ELF::Elf64_Sym> table(1);
  uint64_t dataBytes = 0;
  for (const WeightSymbol &symbol : symbols) {
    ELF::Elf64_Sym entry = {};
    entry.st_name = uint32_t(strings.size());
    entry.setBindingAndType(ELF::STB_GLOBAL, ELF::STT_OBJECT);
    entry.st_other = ELF::STV_HIDDEN;
    entry.st_shndx = Weights;
    entry.st_value = dataBytes;
    entry.st_size = symbol.bytes;
    table.push_back(entry);
    strings += symbol.name + '\0';
    dataBytes += alignTo(symbol.bytes, weightAlignment);
  }
  uint64_t symbolBytes = table.size() * sizeof(ELF::Elf64_Sym);
  uint64_t symbolsAt = pageBytes + dataBytes, stringsAt = symbolsAt + symbolBytes;
  uint64_t namesAt = stringsAt + strings.size();
  uint64_t headersAt = alignTo(namesAt + sizeof(sectionNames), 8);

  uint64_t start = os.tell();
  writeRecord(os, fileHeader(headersAt));
  os.write_zeros(pageBytes - sizeof(ELF::Elf64_Ehdr));
  if (Error error = writeWeights(os, symbols, source))
    return error;
  for (const ELF::Elf64_Sym &symbol : table)
    writeRecord(os, symbol);
  os << strings;
  os.write(sectionNames, sizeof(sectionNames));
  os.write_zeros(unsigned(headersAt - (os.tell() - start)));

  auto section = [&](Section number, uint32_t type, uint64_t flags, uint64_t at, uint64_t bytes,
                     uint32_t link, uint32_t info, uint64_t alignment, uint64_t entryBytes) {
    ELF::Elf64_Shdr header = {nameOffsets[number], type,      flags, 0, at, bytes, link, info,
                              alignment,           entryBytes};
    writeRecord(os, header);
  };
  section(Null, ELF::SHT_NULL, 0, 0, 0, 0, 0, 0, 0);
  section(Weights, ELF::SHT_PROGBITS, ELF::SHF_ALLOC | ELF::SHF_X86_64_LARGE, pageBytes, dataBytes,
          0, 0, pageBytes, 0);
  section(SymbolTable, ELF::SHT_SYMTAB, 0, symbolsAt, symbolBytes, Strings, 1, 8,
          sizeof(ELF::Elf64_Sym));
  section(Strings, ELF::SHT_STRTAB, 0, stringsAt, strings.size(), 0, 0, 1, 0);
  section(SectionNames, ELF::SHT_STRTAB, 0, namesAt, sizeof(sectionNames), 0, 0, 1, 0);
  section(Stack, ELF::SHT_PROGBITS, 0, headersAt, 0, 0, 0, 1, 0);
  return Error::success();
}

} // namespace kiln::link
