// nghttp2 for Swift: its header, and one wrapper for a union member that Swift would copy whole. No logic.
#ifndef PC_NGHTTP2_H
#define PC_NGHTTP2_H

#include <nghttp2/nghttp2.h>

static inline const nghttp2_frame_hd *_Nonnull pc_frame_hd(const nghttp2_frame *_Nonnull f) { return &f->hd; }
static inline int pc_headers_category(const nghttp2_frame *_Nonnull f) { return f->headers.cat; }
static inline int pc_priority_on_itself(const nghttp2_frame *_Nonnull f) {
    return f->priority.pri_spec.stream_id == f->hd.stream_id;
}
static inline uint32_t pc_error_code(const nghttp2_frame *_Nonnull f) {
    return f->hd.type == NGHTTP2_GOAWAY ? f->goaway.error_code : f->rst_stream.error_code;
}
static inline int32_t pc_last_stream_id(const nghttp2_frame *_Nonnull f) { return f->goaway.last_stream_id; }

#endif
