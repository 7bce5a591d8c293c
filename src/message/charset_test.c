/* Charsets: rule M7, RFC 8621 4.1.2.1, and the detector's confusion matrix. */
#include "message/charset.h"

#include <iconv.h>

#include "base/rand.h"
#include "base/test.h"
#include "message/charset_table.h"

static void test_labels(void **state)
{
    static const char *const rows[][2] = {
        {"utf-8", "UTF-8"},
        {"UTF8", "UTF-8"},
        {"\"utf-8\"", "UTF-8"},
        {" utf-8 ", "UTF-8"},
        {"us-ascii", "US-ASCII"},
        {"ANSI_X3.4-1968", "US-ASCII"},
        {"gb2312", "GB18030"},
        {"GBK", "GB18030"},
        {"x-gbk", "GB18030"},
        {"gb_2312-80", "GB18030"},
        {"cp936", "GB18030"},
        {"GB18030", "GB18030"},
        {"big5", "Big5-HKSCS"},
        {"cn-big5", "Big5-HKSCS"},
        {"iso-8859-1", "windows-1252"},
        {"latin1", "windows-1252"},
        {"iso8859-1", "windows-1252"},
        {"Windows-1252", "windows-1252"},
        {"iso-8859-9", "windows-1254"},
        {"ks_c_5601-1987", "EUC-KR"},
        {"ksc5601", "EUC-KR"},
        {"euc-kr", "EUC-KR"},
        {"shift_jis", "Shift_JIS"},
        {"x-sjis", "Shift_JIS"},
        {"windows-31j", "Shift_JIS"},
        {"iso-2022-jp", "ISO-2022-JP"},
        {"csISO2022JP", "ISO-2022-JP"},
        {"hz-gb-2312", "HZ-GB-2312"},
        {"utf-7", "UTF-7"},
        {"unicode-1-1-utf-7", "UTF-7"},
        {"koi8-r", "KOI8-R"},
        {"windows-874", "windows-874"},
        {"tis-620", "windows-874"},
        {"iso-8859-8-i", "ISO-8859-8"},
        {"utf-16", "UTF-16"},
        {"ibm037", "IBM037"},
        {"macintosh", "macintosh"},
        {"unknown-8bit", NULL},
        {"x-unknown", NULL},
        {"", NULL},
        {"-", NULL},
        {"iso-2022-cn-ext", NULL}, /* left out: its decoder has been a hole */
        {"utf-8//TRANSLIT", NULL},
        {"../../tmp/x", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *got = charset_canonical(slice_c(rows[i][0]));
        if (!rows[i][1] ? got != NULL : !got || !slice_eq(slice_c(got), slice_c(rows[i][1])))
            fail_msg("%s: got %s", rows[i][0], got ? got : "nothing");
    }
}

/* Every charset on the list can be read here, and no label stands for two. */
static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < charset_count; i++) {
        const struct charset *row = &charset_table[i];
        slice labels = slice_trim(slice_c(row->labels)), label;
        if (row->iconv) {
            iconv_t cd = iconv_open("UTF-8", row->iconv);
            if (cd == (iconv_t)-1)
                fail_msg("iconv does not know %s", row->iconv);
            iconv_close(cd);
        }
        while (slice_next(&labels, ' ', &label))
            if (charset_canonical(label) != row->name)
                fail_msg("%.*s is %s and %s", P(label), row->name, charset_canonical(label));
    }
}

static void test_convert(void **state)
{
    static const struct {
        const char *name, *label;
        slice in;
        const char *want;
        size_t replaced;
    } rows[] = {
        {"ASCII", "us-ascii", {"abc", 3}, "abc", 0},
        {"UTF-8", "utf-8", {"驿站", 6}, "驿站", 0},
        {"UTF-8 with a mark",
         "utf-8",
         {"\xef\xbb\xbf"
          "a",
          4},
         "a",
         0},
        {"M7: NUL dropped", "utf-8", {"a\0b", 3}, "ab", 0},
        {"broken UTF-8", "utf-8", {"驿站 驿站 \xe9\xa9", 16}, "驿站 驿站 \xef\xbf\xbd", 1},
        {"one mark for each broken piece",
         "utf-8",
         {"驿站驿站驿站驿\xe9\xff z", 25},
         "驿站驿站驿站驿\xef\xbf\xbd\xef\xbf\xbd z",
         2},
        {"M7: gb2312 is GB18030", "gb2312", {"\xd6\xd0\xce\xc4\x96\x4e", 6}, "中文朜", 0},
        {"M7: U+20BB7", "gb18030", {"\x95\x34\xb2\x35", 4}, "𠮷", 0},
        {"euro of code page 936", "gbk", {"\xd6\xd0\x80", 3}, "中€", 0},
        {"M7: big5 is Big5-HKSCS", "big5", {"\xa4\xa4\xa4\xe5", 4}, "中文", 0},
        {"M7: latin-1 is windows-1252", "iso-8859-1", {"\x93x\x94 \xe9", 5}, "“x” é", 0},
        {"M7: ks_c_5601 is windows-949", "ks_c_5601-1987", {"\xc7\xd1\x81\x41", 4}, "한갂", 0},
        {"koi8-r", "koi8-r", {"\xd0\xcf\xde\xd4\xc1", 5}, "почта", 0},
        {"shift_jis", "shift_jis", {"\x93\xfa\x96\x7b\x87\x40", 6}, "日本①", 0},
        {"euc-jp", "euc-jp", {"\xc6\xfc\xcb\xdc", 4}, "日本", 0},
        {"iso-2022-jp", "iso-2022-jp", {"\x1b$BF|K\\\x1b(B!", 11}, "日本!", 0},
        {"iso-2022-jp, kana", "iso-2022-jp", {"\x1b(I1\x1b(B", 7}, "ｱ", 0},
        {"iso-2022-jp, NEC row 13", "iso-2022-jp", {"\x1b$B-!\x1b(B", 8}, "①", 0},
        {"iso-2022-jp, no way back", "iso-2022-jp", {"\x1b$BF|\nab", 8}, "日\nab", 0},
        {"iso-2022-kr",
         "iso-2022-kr",
         {"\x1b$)C\x0e"
          "GQ\x0f!",
          9},
         "한!",
         0},
        {"hz", "hz-gb-2312", {"a~{VPND~}~~b", 12}, "a中文~b", 0},
        {"utf-7", "utf-7", {"a +Ti1lhw- ~", 12}, "a 中文 ~", 0},
        {"utf-16 with a mark", "utf-16", {"\xfe\xff\x4e\x2d", 4}, "中", 0},
        {"utf-16 little without", "utf-16", {"a\0b\0", 4}, "ab", 0},
        {"utf-16 big without", "utf-16", {"\0a\0b", 4}, "ab", 0},
        {"utf-16 by its mark alone", "", {"\xff\xfe\x2d\x4e\x0d\0", 6}, "中\r", 0},
        {"utf-16 by its mark, against its label", "gbk", {"\xfe\xff\x4e\x2d", 4}, "中", 0},
        {"utf-16 by its mark, against utf-8", "utf-8", {"\xff\xfe\x2d\x4e", 4}, "中", 0},
        {"the mark is text when units are broken", "iso-8859-1", {"\xff\xfe\x00\xdc", 4}, "ÿþÜ", 0},
        {"cut within a character",
         "gbk",
         {"\xd6\xd0\xce\xc4\xd6\xd0\xce\xc4\xd6\xd0\xce\xc4\xd6\xd0\xce"
          "\xc4\xd6\xd0\xce\xc4\xd6",
          21},
         "中文中文中文中文中文\xef\xbf\xbd",
         1},
        {"label is untrue: utf-8", "utf-8", {"caf\xe9 noir", 9}, "café noir", 0},
        {"label is untrue: ascii", "us-ascii", {"caf\xc3\xa9", 5}, "café", 0},
        {"label is untrue: latin-1", "iso-8859-1", {"驿站", 6}, "驿站", 0},
        {"label is unknown", "x-nonsense", {"驿站", 6}, "驿站", 0},
        {"vietnamese", "windows-1258", {"Vi\xea\xf2t", 5}, "Việt", 0},
        {"empty", "gbk", {"", 0}, "", 0},
    };
    struct arena a = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct charset_text t;
        slice want = slice_c(rows[i].want);
        charset_to_utf8(&a, slice_c(rows[i].label), rows[i].in, &t);
        if (!slice_eq(t.text, want) || t.replaced != rows[i].replaced)
            fail_msg("%s: got \"%.*s\" %zu as %s", rows[i].name, P(t.text), t.replaced, t.charset);
    }
    arena_end(&a);
}

/* Whatever the label and the bytes: UTF-8 without NUL comes out, within memory. */
static void test_any_bytes(void **state)
{
    struct arena a = {0};
    char in[300];
    (void)state;
    for (size_t row = 0; row < charset_count; row++) {
        for (unsigned round = 0; round < 8; round++) {
            struct charset_text t;
            size_t n = rand_below(sizeof(in));
            rand_bytes(in, n);
            charset_to_utf8(&a, slice_c(charset_table[row].name), (slice){in, n}, &t);
            if (!slice_is_utf8(t.text) || slice_find(t.text, 0) >= 0)
                fail_msg("%s", charset_table[row].name);
            arena_reset(&a);
        }
    }
    arena_end(&a);
}

/* ---- detection ---- */

/* Words of letters that might be written; the samples are made of them. */
static const struct {
    const char *charset, *iconv;
    const char *texts[6];
} languages[] = {
    {"windows-1252",
     "CP1252",
     {"Chère madame, la lettre est arrivée hier à la gare où nous vous attendons depuis le début "
      "de l'été. "
      "Le cheval fatigué a été échangé contre un autre, très rapide. Après le dîner, le maître du "
      "relais "
      "espère reçevoir des nouvelles de la forêt et du château. À bientôt, même si la nuit est "
      "déjà là. "
      "Voilà le problème réglé, merci à tous les élèves. Où êtes-vous né, garçon ?",
      "Sehr geehrte Frau Müller, für die Übergabe der Bücher möchten wir Ihnen danken. Der "
      "Schlüssel "
      "läßt sich nur schwer öffnen. Grüße aus München und Köln, wo die Straßen früh überflutet "
      "wären. "
      "Könnten Sie bitte natürlich die Größe prüfen? Außerdem hört man täglich schöne Geschichten "
      "über "
      "Pferde, Wälder und Vögel. Während wir zurückkehren, bleibt die Tür geöffnet.",
      "Señor, mañana llegará el correo con la información que usted pidió. El niño corrió detrás "
      "del "
      "caballo español hasta la estación más próxima. ¿Dónde está el jardín? ¡Qué día tan bonito! "
      "También "
      "habrá música después del almuerzo, según dijo el capitán. Aquí vivía una mujer pequeña que "
      "tenía "
      "corazón de león y opinión política.",
      "Não há notícias da estação, mas amanhã a situação será melhor. O coração do cavalo é forte "
      "e a "
      "canção da mãe também. Você já está à espera do avião? As lições são difíceis, porém úteis. "
      "A "
      "decisão do júri não é pública até sábado. Informações sobre educação, tradição e "
      "administração.",
      "Perché la città è così lontana? La verità è già più chiara: sarà necessaria la metà della "
      "qualità. Non c'è libertà senza società, né felicità. Andrò lunedì con papà, però tornerò "
      "martedì. "
      "L'università può offrire possibilità e attività. Caffè, tè e virtù: ciò che verrà, verrà.",
      "Hälsningar från norr: brevet kom fram på måndag kväll. Hästen är trött och behöver vila "
      "före "
      "nästa resa över fjället. Vi får höra när båten går, även om vädret är dåligt. Älgen står "
      "vid ån "
      "och äter löv. Så länge någon väntar får lampan lysa, säger värden på gården."}},
    {"windows-1250",
     "CP1250",
     {"Szanowna pani, list już dotarł do stacji, gdzie czekają świeże konie. Proszę przesłać "
      "odpowiedź "
      "jeszcze dziś, ponieważ jutro będzie późno. Wszyscy są zmęczeni, ale żaden człowiek się nie "
      "skarży. "
      "Książka leży pod łóżkiem obok śpiącego kota. Dziękuję za pomoc i życzę miłego dnia w Łodzi.",
      "Vážený pane, dopis přišel včera večer a kůň už čeká ve stáji. Příští týden přijede můj "
      "přítel, "
      "který žije v malém městě u řeky. Děkuji za všechno, co jste pro nás udělali. Počasí je "
      "krásné, "
      "ačkoli v noci pršelo. Někdy se zdá, že žádná zpráva není dobrá zpráva, říká šéf.",
      "Tisztelt asszonyom, a levél tegnap érkezett meg az állomásra, ahol friss lovak várnak. "
      "Köszönöm "
      "szépen a gyors választ, örömmel olvastam. Hűvös őszi idő van, a tűz mellett ülünk és "
      "történeteket "
      "mesélünk. Kérem, küldjön további híreket a gyűlésről, mert nagyon érdekel a végső döntés.",
      "Stimată doamnă, scrisoarea a ajuns ieri în oraş şi caii sunt obosiţi. Vă mulţumesc pentru "
      "ajutor "
      "şi aştept veşti bune. Mâine dimineaţă plecăm spre munţi, dacă vremea rămâne frumoasă. "
      "Înainte de "
      "toate trebuie să găsim drumul către gară. Fiecare om ştie că timpul trece fără încetare.",
      "Poštovani gospodine, pismo je stiglo jučer na postaju gdje čekaju svježi konji. Želim vam "
      "reći da će sljedeći tjedan doći još jedna pošiljka. Možda ćete tada znati više o našem "
      "putovanju. Kiša pada već tri dana, a đaci uče kod kuće. Hvala što ste čitali, vaš općinski "
      "učitelj."}},
    {"windows-1251",
     "CP1251",
     {"Уважаемая госпожа, письмо пришло вчера вечером на станцию, где ждут свежие лошади. Просим "
      "ответить "
      "как можно скорее, потому что завтра будет поздно. Все устали, но никто не жалуется. Книга "
      "лежит на "
      "столе рядом с чашкой чая. Спасибо за помощь и хорошего дня вам и вашей семье.",
      "Шановна пані, лист прийшов учора ввечері на станцію, де чекають свіжі коні. Просимо "
      "відповісти "
      "якнайшвидше, бо завтра буде пізно. Усі втомилися, але ніхто не скаржиться. Дякуємо за "
      "допомогу і "
      "бажаємо гарного дня вам та вашій родині. Її обличчя світилося щастям.",
      "Уважаема госпожо, писмото пристигна вчера вечерта на гарата, където чакат отпочинали коне. "
      "Моля, "
      "отговорете възможно най-скоро, защото утре ще бъде късно. Всички са уморени, но никой не се "
      "оплаква. Благодаря за помощта и приятен ден на вас и на семейството ви."}},
    {"windows-1253",
     "CP1253",
     {"Αγαπητή κυρία, το γράμμα έφτασε χθες το βράδυ στον σταθμό όπου περιμένουν ξεκούραστα άλογα. "
      "Παρακαλώ απαντήστε το συντομότερο δυνατόν, γιατί αύριο θα είναι αργά. Όλοι είναι "
      "κουρασμένοι, αλλά "
      "κανείς δεν παραπονιέται. Ευχαριστώ για τη βοήθεια και καλή σας ημέρα."}},
    {"windows-1254",
     "CP1254",
     {"Sayın bayan, mektup dün akşam dinlenmiş atların beklediği istasyona ulaştı. Lütfen en kısa "
      "zamanda yanıt verin, çünkü yarın geç olacak. Herkes yorgun, ama kimse şikâyet etmiyor. "
      "Yardımınız "
      "için teşekkür eder, size ve ailenize iyi günler dilerim. Işığı söndürüp kapıyı kapatın, "
      "dağların ardında güneş doğuyor. Çocuklar bahçede oynuyor, öğretmen ağacın altında kitap "
      "okuyor."}},
    {"windows-1255",
     "CP1255",
     {"גברת נכבדה, המכתב הגיע אתמול בערב לתחנה שבה ממתינים סוסים רעננים. אנא השיבו בהקדם האפשרי, "
      "כי "
      "מחר יהיה מאוחר. כולם עייפים, אבל איש אינו מתלונן. הספר מונח על השולחן ליד כוס התה. תודה על "
      "העזרה ויום טוב לכם ולמשפחתכם."}},
    {"windows-1256",
     "CP1256",
     {"السيدة المحترمة، وصلت الرسالة مساء أمس إلى المحطة حيث تنتظر خيول مستريحة. نرجو الرد في أقرب "
      "وقت "
      "ممكن لأن الغد سيكون متأخرا. الجميع متعبون لكن لا أحد يشتكي. الكتاب على الطاولة بجانب كوب "
      "الشاي. "
      "شكرا على المساعدة ويوما سعيدا لكم ولعائلتكم."}},
    {"windows-1257",
     "CP1257",
     {"Gerbiamoji ponia, laiškas vakar vakare pasiekė stotį, kurioje laukia pailsėję žirgai. "
      "Prašome "
      "atsakyti kuo greičiau, nes rytoj bus vėlu. Visi pavargę, bet niekas nesiskundžia. Knyga "
      "guli ant "
      "stalo šalia arbatos puodelio. Ačiū už pagalbą ir geros dienos jums bei jūsų šeimai.",
      "Cienījamā kundze, vēstule vakar vakarā pienāca stacijā, kur gaida atpūtušies zirgi. Lūdzu, "
      "atbildiet pēc iespējas ātrāk, jo rīt būs par vēlu. Visi ir noguruši, bet neviens nesūdzas. "
      "Grāmata atrodas uz galda blakus tējas krūzei. Paldies par palīdzību, un lai jums jauka "
      "diena."}},
    {"windows-1258",
     "CP1258",
     {"Thưa bà, bức thư đã đến trạm tối hôm qua, nơi những con ngựa khỏe đang chờ đợi. Xin vui "
      "lòng trả "
      "lời càng sớm càng tốt, vì ngày mai sẽ muộn. Mọi người đều mệt mỏi nhưng không ai than "
      "phiền. Quyển "
      "sách nằm trên bàn bên cạnh chén trà. Cảm ơn sự giúp đỡ và chúc gia đình một ngày tốt "
      "lành."}},
    {"KOI8-R",
     "KOI8-R",
     {"Уважаемая госпожа, письмо пришло вчера вечером на станцию, где ждут свежие лошади. Просим "
      "ответить "
      "как можно скорее, потому что завтра будет поздно. Все устали, но никто не жалуется. Книга "
      "лежит на "
      "столе рядом с чашкой чая. Спасибо за помощь и хорошего дня вам и вашей семье."}},
    {"GB18030",
     "GB18030",
     {"尊敬的女士， 您的信昨天晚上已经送到驿站， 那里有休息好的马匹等候。 请尽快回复， "
      "因为明天就太晚了。 "
      "大家都很累， 但是没有人抱怨。 书放在桌子上， 旁边是一杯茶。 谢谢您的帮助， "
      "祝您和家人一切顺利。 "
      "春天来了， 山里的花开得很好看， 孩子们在河边玩耍。 我们希望下个月能再见面， "
      "一起讨论新的计划。"}},
    {"Big5-HKSCS",
     "BIG5-HKSCS",
     {"尊敬的女士， 您的信昨天晚上已經送到驛站， 那裡有休息好的馬匹等候。 請儘快回覆， "
      "因為明天就太晚了。 "
      "大家都很累， 但是沒有人抱怨。 書放在桌子上， 旁邊是一杯茶。 謝謝您的幫助， "
      "祝您和家人一切順利。 "
      "春天來了， 山裡的花開得很好看， 孩子們在河邊玩耍。 我們希望下個月能再見面， "
      "一起討論新的計畫。"}},
    {"Shift_JIS",
     "CP932",
     {"拝啓、 お手紙は昨日の夜に駅に届きました。 そこでは元気な馬が待っています。 "
      "明日では遅いので、 "
      "できるだけ早くお返事をください。 みんな疲れていますが、 誰も文句を言いません。 "
      "本は机の上にあり、 "
      "その横にお茶があります。 ご協力ありがとうございます。 良い一日をお過ごしください。 "
      "来月また会いましょう。"}},
    {"EUC-JP",
     "EUC-JP",
     {"拝啓、 お手紙は昨日の夜に駅に届きました。 そこでは元気な馬が待っています。 "
      "明日では遅いので、 "
      "できるだけ早くお返事をください。 みんな疲れていますが、 誰も文句を言いません。 "
      "本は机の上にあり、 "
      "その横にお茶があります。 ご協力ありがとうございます。 良い一日をお過ごしください。 "
      "来月また会いましょう。"}},
    {"EUC-KR",
     "CP949",
     {"존경하는 부인께, 편지는 어제 저녁에 역에 도착했습니다. 그곳에는 쉬고 있던 말들이 기다리고 "
      "있습니다. "
      "내일이면 늦으니 되도록 빨리 답장을 보내 주십시오. 모두 지쳤지만 아무도 불평하지 않습니다. "
      "책은 탁자 "
      "위에 있고 그 옆에 차 한 잔이 있습니다. 도와주셔서 감사하며 가족 모두 좋은 하루 되시기 "
      "바랍니다."}},
};

enum { LANGUAGES = sizeof(languages) / sizeof(languages[0]), SAMPLES = 1000, LENGTH = 200 };

static slice encode(const char *charset, slice in, char *out, size_t room)
{
    iconv_t cd = iconv_open(charset, "UTF-8");
    char *from = (char *)(uintptr_t)in.p, *to = out;
    size_t left = in.n;
    assert_true(cd != (iconv_t)-1);
    if (iconv(cd, &from, &left, &to, &room) == (size_t)-1)
        fail_msg("%s cannot hold \"%.*s\"", charset, (int)(left < 40 ? left : 40), from);
    iconv(cd, NULL, NULL, &to, &room);
    iconv_close(cd);
    return (slice){out, (size_t)(to - out)};
}

/* At most LENGTH bytes of words of a text in random order. */
static slice sample(slice text, char *out)
{
    slice words[200], rest = text, word;
    size_t count = 0, n = 0;
    while (count < 200 && slice_next(&rest, ' ', &word))
        words[count++] = word;
    for (;;) {
        word = words[rand_below(count)];
        if (n + word.n + 1 > LENGTH)
            return (slice){out, n};
        memcpy(out + n, word.p, word.n);
        n += word.n;
        out[n++] = ' ';
    }
}

static bool is_right(const char *got, const char *want, slice bytes)
{
    if (slice_eq(slice_c(got), slice_c(want)))
        return true;
    struct arena a = {0}; /* another name for the same text is right as well */
    struct charset_text one, two;
    charset_to_utf8(&a, slice_c(got), bytes, &one);
    charset_to_utf8(&a, slice_c(want), bytes, &two);
    bool same = slice_eq(one.text, two.text);
    arena_end(&a);
    return same;
}

static void test_detect(void **state)
{
    static unsigned matrix[LANGUAGES][LANGUAGES + 1];
    static char text[8000];
    (void)state;
    for (size_t i = 0; i < LANGUAGES; i++) {
        size_t texts = 0, right = 0;
        while (texts < 6 && languages[i].texts[texts])
            texts++;
        for (size_t k = 0; k < SAMPLES; k++) {
            char out[LENGTH];
            slice all = encode(languages[i].iconv, slice_c(languages[i].texts[k % texts]), text,
                               sizeof(text));
            slice bytes = sample(all, out);
            if (slice_is_ascii(bytes)) { /* nothing to tell */
                right++;
                matrix[i][i]++;
                continue;
            }
            const char *got = charset_detect(bytes);
            size_t column = 0;
            while (column < LANGUAGES &&
                   !slice_eq(slice_c(got), slice_c(languages[column].charset)))
                column++;
            bool ok = is_right(got, languages[i].charset, bytes);
            right += ok;
            matrix[i][ok ? i : column]++;
        }
        assert_true(right * 100 >= SAMPLES * 98 || !"fewer than 98 % are right");
    }
    printf("%-13s", "");
    for (size_t k = 0; k < LANGUAGES; k++)
        printf("%5.5s", slice_starts(slice_c(languages[k].charset), S("windows-"))
                            ? languages[k].charset + 8
                            : languages[k].charset);
    printf("  other\n");
    for (size_t i = 0; i < LANGUAGES; i++) {
        printf("%-13s", languages[i].charset);
        for (size_t k = 0; k <= LANGUAGES; k++)
            printf("%5u", matrix[i][k]);
        printf("\n");
    }
}

static void test_detect_short(void **state)
{
    static const struct {
        slice in;
        const char *want;
    } rows[] = {
        {{"abc", 3}, "US-ASCII"},
        {{"驿站", 6}, "UTF-8"},
        {{"\x1b$BF|\x1b(B", 8}, "ISO-2022-JP"},
        {{"\xff\xfe\x2d\x4e", 4}, "UTF-16"},
        {{"caf\xe9", 4}, "windows-1252"},
        {{"M\xfcller", 6}, "windows-1252"},
        {{"\x93quoted\x94", 8}, "windows-1252"},
        {{"\xd6\xd0\xce\xc4", 4}, "GB18030"},
        {{"\xc4\xe3\xba\xc3", 4}, "GB18030"},
        {{"\xcf\xf0\xe8\xe2\xe5\xf2", 6}, "windows-1251"},
        {{"\xf0\xd2\xc9\xd7\xc5\xd4", 6}, "KOI8-R"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(charset_detect(rows[i].in), rows[i].want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels),  cmocka_unit_test(test_table),
        cmocka_unit_test(test_convert), cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_detect),  cmocka_unit_test(test_detect_short),
    };
    return TEST_RUN(tests);
}
