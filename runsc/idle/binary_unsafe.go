package idle

// #define _GNU_SOURCE
// #include <link.h>
// #include <sys/mman.h>
//
// // advise gives every other piece of a range an advice about core dumps, which means
// // nothing here: MADV_DONTDUMP makes many mappings of one, MADV_DODUMP one of many. A
// // fault maps all that the page cache has in one folio, up to 2 MiB, but never more
// // than the mapping.
// static void advise(unsigned long start, unsigned long end, int advice)
// {
// 	const unsigned long piece = 64 << 10;
// 	for (unsigned long at = start; at + piece < end; at += 2 * piece)
// 		madvise((void *)at, piece, advice);
// }
//
// // remap takes the pages of one object's read-only segments, or of its code only, out of the
// // page table, in pieces of the size that arg says. The file has them all: nothing
// // was written to them.
// static int remap(struct dl_phdr_info *info, size_t size, void *arg)
// {
// 	const unsigned long page = 4096;
// 	int join = arg != 0;
// 	for (int i = 0; i < info->dlpi_phnum; i++) {
// 		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
// 		if (p->p_type != PT_LOAD || p->p_flags & PF_W || (join && !(p->p_flags & PF_X)))
// 			continue;
// 		unsigned long start = (info->dlpi_addr + p->p_vaddr) & -page;
// 		unsigned long end = (info->dlpi_addr + p->p_vaddr + p->p_memsz + page - 1) & -page;
// 		advise(start, end, join ? MADV_DODUMP : MADV_DONTDUMP);
// 		// What stays mapped is memory, not a failure.
// 		madvise((void *)start, end - start, MADV_DONTNEED);
// 	}
// 	return 1; // the program itself comes first, and is all
// }
//
// static void drop_binary(void) { dl_iterate_phdr(remap, 0); }
// static void join_code(void) { dl_iterate_phdr(remap, (void *)1); }
import "C"

// dropBinary takes the binary out of the page tables and has it come back in small pieces.
func dropBinary() { C.drop_binary() }

// joinCode has code come back in large ones.
func joinCode() { C.join_code() }
