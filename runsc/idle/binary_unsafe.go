package idle

// #define _GNU_SOURCE
// #include <link.h>
// #include <sys/mman.h>
//
// // cut makes many mappings of one, by a mark that every other piece has and that
// // means nothing here. A fault maps all that the page cache has in one folio, up
// // to 2 MiB, but never more than the mapping.
// static void cut(unsigned long start, unsigned long end)
// {
// 	const unsigned long piece = 64 << 10;
// 	for (unsigned long at = start; at + piece < end; at += 2 * piece)
// 		madvise((void *)at, piece, MADV_DONTDUMP);
// }
//
// // drop takes the pages of one object's read-only segments out of the page
// // table. The file has them all: nothing was written to them.
// static int drop(struct dl_phdr_info *info, size_t size, void *arg)
// {
// 	const unsigned long page = 4096;
// 	for (int i = 0; i < info->dlpi_phnum; i++) {
// 		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
// 		if (p->p_type != PT_LOAD || p->p_flags & PF_W)
// 			continue;
// 		unsigned long start = (info->dlpi_addr + p->p_vaddr) & -page;
// 		unsigned long end = (info->dlpi_addr + p->p_vaddr + p->p_memsz + page - 1) & -page;
// 		if (!(p->p_flags & PF_X)) // code that is busy is better mapped in large pieces
// 			cut(start, end);
// 		// What stays mapped is memory, not a failure.
// 		madvise((void *)start, end - start, MADV_DONTNEED);
// 	}
// 	return 1; // the program itself comes first, and is all
// }
//
// static void drop_binary(void) { dl_iterate_phdr(drop, 0); }
import "C"

func dropBinary() { C.drop_binary() }
