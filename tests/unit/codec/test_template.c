/* Templates: what they print, what does not compile, and what stops a run. The expected texts of
 * language[] are Jinja2's (3.1). */
#include "../support.h"
#include "codec/template.h"

#define DATA                                                                                       \
    "{\"name\":\"Ada\",\"n\":3,\"price\":1.50,\"yes\":true,\"no\":false,\"nothing\":null,"         \
    "\"list\":[\"a\",\"b\",\"c\"],\"empty\":[],\"html\":\"<b>\\\"x\\\" & 'y'</b>\","               \
    "\"people\":[{\"name\":\"Ann\",\"age\":3},{\"name\":\"Bob\",\"age\":40}],"                     \
    "\"map\":{\"k\":1,\"l\":[2,\"z\"]},\"nested\":{\"a\":{\"b\":[{\"c\":\"deep\"}]}},"             \
    "\"long\":\"the quick brown fox jumps over\",\"uni\":\"Größe "                               \
    "Ж\",\"big\":12345678901234567890}"

static const struct {
    const char *template, *output;
} language[] = {
    {"plain { text } %", "plain { text } %"},
    {"one newline at the end goes\n", "one newline at the end goes"},
    {"two stay\n\n", "two stay\n"},
    {"{{ name }}", "Ada"},
    {"{{name}}{{  n  }}", "Ada3"},
    {"{{ nested.a.b[0].c }}", "deep"},
    {"{{ nested['a']['b'][0]['c'] }}", "deep"},
    {"{{ list[0] }}{{ list[-1] }}", "ac"},
    {"[{{ missing }}]", "[]"},
    {"{{ yes }} {{ no }} {{ nothing }}", "True False None"},
    {"{{ list }}", "['a', 'b', 'c']"},
    {"{{ map }}", "{'k': 1, 'l': [2, 'z']}"},
    {"{{ 'it''s' }}{{ \"q\\\"q\" }}{{ 'a\\nb' }}", NULL},
    {"{# nothing #}x{# a\nb #}", "x"},
    {"{% raw %}{{ name }}{% if %}{% endraw %}", "{{ name }}{% if %}"},
    {"a  {{- name -}}  b", "aAdab"},
    {"a \n {%- if yes -%} \n b \n {%- endif -%} \n c", "abc"},
    {"{% if yes %}1{% else %}2{% endif %}", "1"},
    {"{% if no %}1{% elif n == 3 %}2{% else %}3{% endif %}", "2"},
    {"{% if no %}1{% elif nothing %}2{% else %}3{% endif %}", "3"},
    {"{% if empty %}1{% endif %}{% if list %}2{% endif %}{% if missing %}3{% endif %}", "2"},
    {"{% if yes %}{% if no %}1{% else %}2{% endif %}{% endif %}", "2"},
    {"{% for x in list %}{{ x }}{% if not loop.last %},{% endif %}{% endfor %}", "a,b,c"},
    {"{% for x in list %}{{ loop.index }}/{{ loop.length }}{{ loop.revindex0 }} {% endfor %}",
     "1/32 2/31 3/30 "},
    {"{% for x in empty %}x{% else %}none{% endfor %}", "none"},
    {"{% for x in list %}x{% else %}none{% endfor %}", "xxx"},
    {"{% for k, v in map.items() %}{{ k }}={{ v }};{% endfor %}", "k=1;l=[2, 'z'];"},
    {"{% for k in map %}{{ k }}{% endfor %}", "kl"},
    {"{% for p in people %}{{ loop.index0 }}{% for x in list %}{{ p.name }}{{ x }}{{ loop.first }} "
     "{% endfor %}{{ loop.index }}{% endfor %}",
     "0AnnaTrue AnnbFalse AnncFalse 11BobaTrue BobbFalse BobcFalse 2"},
    {"{% set x = n + 1 %}{{ x }}", "4"},
    {"{% set x = 1 %}{% for y in list %}{% set x = 2 %}{% endfor %}{{ x }}", "1"},
    {"{{ n + 1 }} {{ n - 5 }} {{ n * n }} {{ n / 2 }} {{ n // 2 }} {{ n % 2 }} {{ -7 // 2 }} "
     "{{ -7 % 3 }} {{ -n }}",
     "4 -2 9 1.5 1 1 -4 2 -3"},
    {"{{ 1 + 2 * 3 }} {{ (1 + 2) * 3 }}", "7 9"},
    {"{{ 'a' ~ n ~ yes }}", "a3True"},
    {"{{ 'a' + 'b' }}", "ab"},
    {"{{ n > 2 and n < 4 }} {{ n >= 4 or n <= 2 }} {{ n != 3 }} {{ not yes }}",
     "True False False False"},
    {"{{ no or 'x' }} {{ yes and 'y' }}", "x y"},
    {"{{ 'a' in list }} {{ 'z' not in list }} {{ 'd' in 'Ada' }} {{ 'k' in map }}",
     "True True True True"},
    {"{{ 'one' if yes else 'two' }} {{ 'one' if no else 'two' }} [{{ 'one' if no }}]",
     "one two []"},
    {"{{ missing is defined }} {{ name is defined }} {{ missing is undefined }} {{ nothing is none "
     "}} {{ nothing is not none }}",
     "False True True True False"},
    {"{{ name is string }} {{ n is number }} {{ map is mapping }} {{ list is iterable }} {{ n is "
     "odd "
     "}} {{ yes is true }}",
     "True True True True True True"},
    {"{{ name | upper }} {{ name | lower }} {{ 'ada LOVE' | capitalize }} {{ 'ada love' | title }}",
     "ADA ada Ada love Ada Love"},
    {"{{ uni | upper }} {{ uni | lower }}", NULL},
    {"{{ missing | default('x') }} {{ nothing | default('x') }} {{ '' | default('x', true) }} {{ "
     "no | "
     "d('x', boolean=true) }}",
     "x None x x"},
    {"{{ list | length }} {{ name | count }} {{ map | length }} {{ uni | length }}", "3 3 2 7"},
    {"{{ list | join }} {{ list | join(', ') }} {{ people | join('-', attribute='name') }}",
     "abc a, b, c Ann-Bob"},
    {"{{ people | map(attribute='name') | join('+') }}", "Ann+Bob"},
    {"{{ list | first }}{{ list | last }}{{ list | reverse | join }}", "accba"},
    {"{{ people | sum(attribute='age') }}", "43"},
    {"{{ long | truncate(12) }}|{{ long | truncate(12, true) }}|{{ long | truncate(12, true, '~', "
     "0) "
     "}}|{{ name | truncate(5) }}|{{ long | truncate(length=28) }}",
     "the...|the quick...|the quick b~|Ada|the quick brown fox jumps over"},
    {"{{ html | e }}", "&lt;b&gt;&#34;x&#34; &amp; &#39;y&#39;&lt;/b&gt;"},
    {"{{ '  x ' | trim }}.{{ 'aXbX' | replace('X', '--') }}", "x.a--b--"},
    {"{{ 2.5 | round }} {{ 3.14159 | round(2) }} {{ 3.2 | round(0, 'ceil') }}", "2.0 3.14 4.0"},
    {"{{ '42' | int + 1 }} {{ 'x' | int(7) }} {{ 3.9 | int }} {{ '1.5' | float }} {{ -3 | abs }} "
     "{{ (-3) | abs }}",
     "43 7 3 1.5 3 3"},
    {"{{ 'a b/c' | urlencode }}", NULL},
    {"{{ name | tojson }} {{ nothing | tojson }} {{ yes | tojson }} {{ '<&>' | tojson }}",
     "\"Ada\" null true \"\\u003c\\u0026\\u003e\""},
    {"{{ map.get('k') }} {{ map.get('x', 'y') }} {{ map.keys() | join(',') }} {{ name.upper() }} "
     "{{ "
     "name.startswith('A') }} {{ name.endswith('da') }} {{ ' x '.strip() }}",
     "1 y k,l ADA True True x"},
    {"{{ big }}", "12345678901234567890"},
    {"{{ [1, 'b', n] | join('-') }} {{ n in [1, 2, 3] }}", "1-b-3 True"},
    {"{{ not no and yes }} {{ not (no or yes) }}", "True False"},
};

static char *
render(const char *text, bool html, char **ret_error)
{
    struct buf why = BUF_INIT;
    struct template *t = template_compile(str_from(text), &why);
    struct json_doc *data = json_parse(STR(DATA), NULL);
    if (t == NULL)
        print_message("%s: %s\n", text, buf_cstr(&why));
    assert_non_null(t);
    struct template_input input = {t, json_root(data), "event", html, 10000};
    struct template_run *r = template_run_new(&input);
    enum template_state state;
    while ((state = template_run_step(r, 0)) == TEMPLATE_MORE)
        continue;
    char *out = NULL;
    if (state == TEMPLATE_DONE) {
        struct str s = template_run_output(r);
        out = strndup(s.len > 0 ? s.data : "", s.len);
    } else {
        *ret_error = strdup(template_run_error(r));
    }
    template_run_free(r);
    template_free(t);
    json_doc_free(data);
    buf_done(&why);
    return out;
}

static void
check(const char *template, const char *expected, bool html)
{
    char *error = NULL, *out = render(template, html, &error);
    if (out == NULL || strcmp(out, expected) != 0)
        print_message("%s\n gave %s\n not  %s\n", template, out == NULL ? error : out, expected);
    assert_non_null(out);
    assert_string_equal(out, expected);
    free(out);
}

static void
the_language_is_jinja2s(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(language) / sizeof(language[0]); i++) {
        if (language[i].output != NULL)
            check(language[i].template, language[i].output, false);
    }
}

static void
what_differs_from_jinja2_is_as_documented(void **state)
{
    (void) state;
    check("[{{ missing.a.b[0] }}]", "[]", false);
    check("{{ null is none }}", "True", false);
    check("{{ price }}", "1.50", false);
    check("{{ map | tojson }}", "{\"k\":1,\"l\":[2,\"z\"]}", false);
    check("{{ event.name }}", "Ada", false);
    check("{% for x in missing %}x{% else %}none{% endfor %}", "none", false);
    check("{{ uni | upper }} {{ uni | lower }}", "GRÖßE Ж größe ж", false);
    check("{{ 'a b/c' | urlencode }}", "a%20b%2Fc", false);
}

static void
html_is_escaped_where_it_is_printed(void **state)
{
    (void) state;
    check("<p>{{ html }}</p>", "<p>&lt;b&gt;&#34;x&#34; &amp; &#39;y&#39;&lt;/b&gt;</p>", true);
    check("{{ html | safe }}", "<b>\"x\" & 'y'</b>", true);
    check("{{ html | e }}", "&lt;b&gt;&#34;x&#34; &amp; &#39;y&#39;&lt;/b&gt;", true);
    check("{{ '<i>' | safe ~ html[0] ~ '<' }}", "<i>&lt;", true);
    check("{{ ['<'] | join }}", "&lt;", true);
    check("{{ html | upper }}", "&lt;B&gt;&#34;X&#34; &amp; &#39;Y&#39;&lt;/B&gt;", true);
    check("{{ html | tojson }}",
          "\"\\u003cb\\u003e\\\"x\\\" \\u0026 \\u0027y\\u0027\\u003c/b\\u003e\"", true);
}

/* --- JSON ----------------------------------------------------------------------------------------
 */

static void
check_json(const char *template, const char *expected)
{
    struct buf why = BUF_INIT;
    struct json_doc *data = json_parse(STR(DATA), NULL);
    struct json_doc *doc = json_parse(str_from(template), NULL);
    assert_non_null(doc);
    struct template *t = template_compile_json(json_root(doc), &why);
    if (t == NULL)
        print_message("%s\n", buf_cstr(&why));
    assert_non_null(t);
    json_doc_free(doc); /* the template has copied what it needs */
    struct template_input input = {t, json_root(data), "event", false, 10000};
    struct template_run *r = template_run_new(&input);
    assert_int_equal(template_run_step(r, INT64_MAX), TEMPLATE_DONE);
    struct str out = template_run_output(r);
    if (!str_is(out, expected))
        print_message("%.*s\n", STR_ARG(out));
    assert_true(str_is(out, expected));
    template_run_free(r);
    template_free(t);
    json_doc_free(data);
    buf_done(&why);
}

static void
strings_of_a_json_template_are_templates(void **state)
{
    (void) state;
    check_json(
        "{\"a\":\"{{ name }}!\",\"b\":[\"x\",1.50,null,{\"c\":\"{% if no %}y{% endif %}\"}]}",
        "{\"a\":\"Ada!\",\"b\":[\"x\",1.50,null,{\"c\":\"\"}]}");
    check_json("{\"{{ name }}\":\"{{ html }} \"}", "{\"{{ name }}\":\"<b>\\\"x\\\" & 'y'</b> \"}");
}

static void
a_string_that_is_one_expression_keeps_its_type(void **state)
{
    (void) state;
    check_json("[\"{{ n }}\",\"{{ price }}\",\"{{ yes }}\",\"{{ nothing }}\",\"{{ list }}\","
               "\"{{ map }}\",\"{{ missing }}\",\"{{ name }}\",\"{{ n ~ '' }}\",\" {{ n }}\","
               "\"{{ big }}\",\"{{ people | map(attribute='age') }}\",\"{{ n > 2 }}\"]",
               "[3,1.50,true,null,[\"a\",\"b\",\"c\"],{\"k\":1,\"l\":[2,\"z\"]},null,\"Ada\",\"3\","
               "\" 3\",12345678901234567890,[3,40],true]");
}

/* --- what does not compile
 * ------------------------------------------------------------------------- */

static const struct {
    const char *template, *why;
} wrong[] = {
    {"a {{ name", "line 1 column 10: expected `}}`"},
    {"{{ }}", "line 1 column 4: expected an expression"},
    {"a\nb {{ name | uper }}",
     "line 2 column 13: there is no filter `uper`, did you mean `upper`?"},
    {"{{ name | nope }}", "line 1 column 11: there is no filter `nope`"},
    {"{% if yes %}", "line 1 column 4: `if` without `endif`"},
    {"{% for x in list %}", "line 1 column 4: `for` without `endfor`"},
    {"{% endif %}", "line 1 column 4: `endif` without `if`"},
    {"{% if a %}{% endfor %}", "line 1 column 14: `endfor` without `for`"},
    {"{% else %}", "line 1 column 4: `else` without `if` or `for`"},
    {"{% if a %}{% else %}{% else %}{% endif %}", "line 1 column 24: a second `else`"},
    {"{% if a %}{% else %}{% elif b %}{% endif %}", "line 1 column 24: `elif` behind `else`"},
    {"{% include 'x' %}", "line 1 column 4: there is no statement `include`"},
    {"{# x", "line 1 column 1: this comment does not end"},
    {"{% raw %}x", "line 1 column 1: `raw` without `endraw`"},
    {"{{ 'x }}", "line 1 column 4: this string does not end"},
    {"{{ a b }}", "line 1 column 6: expected `}}`"},
    {"{{ a.b( }}", "line 1 column 6: there is no method `b`"},
    {"{{ range(10) }}", "line 1 column 9: only methods of values can be called"},
    {"{{ name is hot }}", "line 1 column 12: there is no test `hot`"},
    {"{{ name | replace('a') }}", "line 1 column 11: this filter needs an argument"},
    {"{{ name | upper(1) }}",
     "line 1 column 17: this argument is not known, given twice or one too many"},
    {"{{ 99999999999999999999 }}", "line 1 column 4: this number is too large"},
    {"{{ list[0 }}", "line 1 column 11: expected `]`"},
    {"ä {{ | }}", "line 1 column 6: expected an expression"},
    {"{% for if in list %}{% endfor %}", "line 1 column 8: expected a name"},
    {"{{ if }}", "line 1 column 4: expected a name"},
};

static void
an_error_names_its_place(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct buf why = BUF_INIT;
        struct template *t = template_compile(str_from(wrong[i].template), &why);
        if (t != NULL || strcmp(buf_cstr(&why), wrong[i].why) != 0)
            print_message("%s: %s\n", wrong[i].template, buf_cstr(&why));
        assert_null(t);
        assert_string_equal(buf_cstr(&why), wrong[i].why);
        buf_done(&why);
    }
}

static void
an_error_in_a_json_template_names_the_string(void **state)
{
    (void) state;
    struct buf why = BUF_INIT;
    struct json_doc *doc =
        json_parse(STR("{\"a\":\"{{ x }}\",\"b\":[1,{\"c\":\"ok\\n {{ y | z }}\"}]}"), NULL);
    assert_null(template_compile_json(json_root(doc), &why));
    assert_string_equal(buf_cstr(&why), "at `.b[1].c`, line 2 column 9: there is no filter `z`");
    json_doc_free(doc);
    buf_done(&why);
}

/* --- limits
 * ---------------------------------------------------------------------------------------- */

static char *
repeat(const char *before, const char *part, size_t n, const char *after)
{
    struct buf b = BUF_INIT;
    buf_add_cstr(&b, before);
    for (size_t i = 0; i < n; i++)
        buf_add_cstr(&b, part);
    buf_add_cstr(&b, after);
    return buf_take(&b);
}

static void
check_refused(char *template, const char *part_of_why)
{
    struct buf why = BUF_INIT;
    assert_null(template_compile(str_from(template), &why));
    if (strstr(buf_cstr(&why), part_of_why) == NULL)
        print_message("%s\n", buf_cstr(&why));
    assert_non_null(strstr(buf_cstr(&why), part_of_why));
    buf_done(&why);
    free(template);
}

static void
nothing_nests_for_ever(void **state)
{
    (void) state;
    check_refused(repeat("{{ ", "(", 100000 / 2, "1 }}"), "nested too deeply");
    check_refused(repeat("{{ a", "[a", 20000, " }}"), "nested too deeply");
    check_refused(repeat("{{ a", "|upper", 9000, " }}"), "nested too deeply");
    check_refused(repeat("{{ 1", "+1", 20000, " }}"), "nested too deeply");
    check_refused(repeat("{{ ", "not ", 10000, "1 }}"), "nested too deeply");
    check_refused(repeat("{{ a", " if a else a", 2000, " }}"), "nested too deeply");
    check_refused(repeat("", "{% if a %}", 17, ""), "blocks are nested too deeply");
    check_refused(repeat("", "{% for a in b %}", 9, ""), "loops are nested too deeply");
    check_refused(repeat("", "{{a}}", 9000, ""), "too many expressions");
    check_refused(repeat("", "x", TEMPLATE_MAX_BYTES + 1, ""), "longer than");
}

static void
check_stopped(const char *template, const char *part_of_why)
{
    char *error = NULL, *out = render(template, false, &error);
    assert_null(out);
    if (strstr(error, part_of_why) == NULL)
        print_message("%s: %s\n", template, error);
    assert_non_null(strstr(error, part_of_why));
    free(error);
}

static void
a_run_takes_no_more_than_its_share(void **state)
{
    (void) state;
    check_stopped(
        "{% for a in long.get('x') or list %}{{ long }}{% endfor %}"
        "{% set l = list %}{% for a in l %}{% for b in l %}{% for c in l %}{% for d in l %}"
        "{% for e in l %}{% for f in l %}{{ long }}"
        "{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}",
        "longer than 10000 bytes");
    char *doubled = repeat("{% set s = long %}", "{% set s = s ~ s %}", 30, "{{ s|length }}");
    check_stopped(doubled, "too much memory");
    free(doubled);
    char *loops = repeat("{% set l = [1,2,3,4,5,6,7,8,9,10] %}", "{% for a in l %}", 8, "x");
    char *slow = repeat(loops, "{% endfor %}", 8, "");
    slow[strlen(loops) - 1] = ' ';
    free(loops);
    loops = repeat("{% set l = [1,2,3,4,5,6,7,8,9,10] %}", "{%- for a in l -%}", 8, "");
    char *quiet = repeat(loops, "{%- endfor -%}", 8, "");
    check_stopped(quiet, "takes too long");
    free(loops);
    free(slow);
    free(quiet);
}

static void
what_cannot_be_computed_fails_with_its_place(void **state)
{
    (void) state;
    check_stopped("x\n{{ 1 / 0 }}", "line 2 column");
    check_stopped("{{ 1 // 0 }}", "division by zero");
    check_stopped("{{ 'a' * 2 }}", "only be done with numbers");
    check_stopped("{{ 'a' < 1 }}", "no order");
    check_stopped("{% for x in 5 %}{% endfor %}", "cannot be gone through");
    check_stopped("{% for a, b in list %}{% endfor %}", "no pairs");
    check_stopped("{{ 1 in 2 }}", "nothing can be in this value");
    check_stopped("{{ 5 | length }}", "has no length");
    check_stopped("{{ long | truncate(1) }}", "too small");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_language_is_jinja2s),
        cmocka_unit_test(what_differs_from_jinja2_is_as_documented),
        cmocka_unit_test(html_is_escaped_where_it_is_printed),
        cmocka_unit_test(strings_of_a_json_template_are_templates),
        cmocka_unit_test(a_string_that_is_one_expression_keeps_its_type),
        cmocka_unit_test(an_error_names_its_place),
        cmocka_unit_test(an_error_in_a_json_template_names_the_string),
        cmocka_unit_test(nothing_nests_for_ever),
        cmocka_unit_test(a_run_takes_no_more_than_its_share),
        cmocka_unit_test(what_cannot_be_computed_fails_with_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
