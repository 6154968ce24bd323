/* The steps of a running batch as a stack, and the times of those that ended. */
#include "queue/progress.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"

void
progress_done(struct progress *p)
{
    for (size_t i = 0; i < p->n_times; i++)
        free(p->times[i].path);
    free(p->times);
    *p = (struct progress){0};
}

/* --- times */

static void
write_path(struct buf *out, const struct progress *p, unsigned level)
{
    for (unsigned i = 0; i <= level; i++) {
        buf_add_cstr(out, i == 0 ? "" : " > ");
        buf_add_cstr(out, p->levels[i].step.name);
    }
}

static struct progress_time *
find_time(const struct progress *p, const char *path)
{
    size_t i = 0;
    while (i < p->n_times && strcmp(p->times[i].path, path) != 0)
        i++;
    return i < p->n_times ? &p->times[i] : NULL;
}

static void
add_time(struct progress *p, unsigned level, int64_t now_us)
{
    struct buf path = BUF_INIT;
    write_path(&path, p, level);
    struct progress_time *t = find_time(p, buf_cstr(&path));
    if (t == NULL) {
        p->times = mem_grow(p->times, p->n_times + 1, sizeof(*p->times));
        t = &p->times[p->n_times++];
        *t = (struct progress_time){.path = buf_take(&path)};
    }
    t->us += now_us - p->levels[level].since_us;
    buf_done(&path);
}

/* The levels from that one on are over. */
static void
leave(struct progress *p, unsigned level)
{
    int64_t now_us = clock_mono_us();
    while (p->n > level)
        add_time(p, --p->n, now_us);
}

void
progress_enter(struct progress *p, unsigned level, const struct progress_step *step)
{
    if (level > p->n || level >= PROGRESS_LEVELS)
        return;
    bool is_same = level < p->n && strcmp(p->levels[level].step.name, step->name) == 0;
    if (!is_same) {
        leave(p, level);
        p->levels[level].since_us = clock_mono_us();
    } else if (p->n > level + 1) {
        leave(p, level + 1);
    }
    p->levels[level].step = *step;
    p->n = level + 1;
}

/* --- showing */

/* As an f32 prints: the shortest text that reads back the same, with a fraction. */
static void
write_f32(struct buf *out, float value)
{
    char text[32];
    for (int digits = 1; digits <= 9; digits++) {
        (void) snprintf(text, sizeof(text), "%.*g", digits, (double) value); /* fits */
        if (strtof(text, NULL) == value)
            break;
    }
    if (strchr(text, 'e') != NULL) /* 1e+01: %g prefers exponents for few digits */
        (void) snprintf(text, sizeof(text), "%.1f", (double) value);
    buf_add_cstr(out, text);
    if (strchr(text, '.') == NULL)
        buf_add_cstr(out, ".0");
}

static void
put_step(struct json_out *j, const struct progress_step *s)
{
    json_begin_object(j);
    json_key(j, "currentStep");
    json_put_cstr(j, s->name);
    json_key(j, "finished");
    json_put_u64(j, s->finished);
    json_key(j, "total");
    json_put_u64(j, s->total);
    json_end_object(j);
}

/* 100 times the sum of finished / (total of this level and of all above it), as f32. */
static float
percentage(const struct progress *p)
{
    float sum = 0, parts = 1;
    for (unsigned i = 0; i < p->n; i++) {
        const struct progress_step *s = &p->levels[i].step;
        parts *= (float) s->total;
        if (s->total > 0)
            sum += (float) s->finished / parts;
        else
            break;
    }
    return sum * 100;
}

void
progress_write(struct buf *out, const struct progress *p)
{
    struct json_out j = json_out(out);
    struct buf number = BUF_INIT;
    json_begin_object(&j);
    json_key(&j, "steps");
    json_begin_array(&j);
    for (unsigned i = 0; i < p->n; i++)
        put_step(&j, &p->levels[i].step);
    json_end_array(&j);
    json_key(&j, "percentage");
    write_f32(&number, percentage(p));
    json_put_raw(&j, buf_str(&number));
    json_end_object(&j);
    buf_done(&number);
}

/* As upstream prints durations: two decimals of the largest unit that leaves a whole part. */
static void
put_time(struct json_out *j, const struct progress_time *t)
{
    static const struct {
        const char *name;
        int64_t us;
    } units[] = {{"s", 1000000}, {"ms", 1000}, {"µs", 1}};
    char text[40];
    size_t unit = 0;
    while (unit < 2 && t->us < units[unit].us)
        unit++;
    int64_t hundredths = (t->us * 100 + units[unit].us / 2) / units[unit].us;
    (void) snprintf(text, sizeof(text), "%lld.%02lld%s", (long long) (hundredths / 100),
                    (long long) (hundredths % 100), units[unit].name); /* fits */
    json_key(j, t->path);
    json_put_cstr(j, text);
}

void
progress_write_trace(struct buf *out, const struct progress *p)
{
    struct progress all = {.n = p->n};
    struct json_out j = json_out(out);
    memcpy(all.levels, p->levels, sizeof(all.levels));
    for (size_t i = 0; i < p->n_times; i++) {
        all.times = mem_grow(all.times, all.n_times + 1, sizeof(*all.times));
        all.times[all.n_times++] =
            (struct progress_time){mem_strdup(p->times[i].path), p->times[i].us};
    }
    leave(&all, 0);
    json_begin_object(&j);
    for (size_t i = 0; i < all.n_times; i++)
        put_time(&j, &all.times[i]);
    json_end_object(&j);
    progress_done(&all);
}
