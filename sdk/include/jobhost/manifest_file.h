/*
 * jobhost SDK: a manifest from a file, whatever builds the plugin. C99 and C++. SPDX-License-Identifier: Apache-2.0
 *
 *   JH_MANIFEST_NOTE_FILE(my_manifest, "plugin.json");      once, at file scope; then jh_module.manifest = my_manifest
 *
 * The assembler looks for the file in the working directory and in the folders named with -I (with -flto: at link time,
 * in the working directory). No compiler notes the dependency: build again when the file changed.
 */
#ifndef JOBHOST_MANIFEST_FILE_H
#define JOBHOST_MANIFEST_FILE_H

#include "abi.h"

#if defined(_WIN32)
#define JH_NOTE_FILE_SECTION JH_NOTE_SECTION ",\"dr\""
#define JH_NOTE_FILE_HIDDEN(symbol)
#define JH_NOTE_FILE_LOCAL
#else
#define JH_NOTE_FILE_SECTION JH_NOTE_SECTION ",\"a\",%note"
#define JH_NOTE_FILE_HIDDEN(symbol) "\t.hidden " #symbol "\n"
#define JH_NOTE_FILE_LOCAL __attribute__((visibility("hidden")))
#endif

/* The bytes that JH_MANIFEST_NOTE lays out, with the file as the text. */
#define JH_MANIFEST_NOTE_FILE(symbol, path)                                                              \
  __asm__("\t.pushsection " JH_NOTE_FILE_SECTION "\n"                                                    \
          "\t.balign 4\n\t.globl " #symbol "\n" JH_NOTE_FILE_HIDDEN(symbol) #symbol ":\n"               \
          "\t.long 8, 2f-1f, 1\n\t.asciz \"" JH_NOTE_OWNER "\"\n"                                      \
          "1:\t.incbin \"" path "\"\n\t.byte 0\n2:\t.balign 4\n\t.popsection");                        \
  extern JH_NOTE_FILE_LOCAL const unsigned char symbol[]

#endif /* JOBHOST_MANIFEST_FILE_H */
