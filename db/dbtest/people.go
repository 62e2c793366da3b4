package dbtest

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"latchkey/db"
	"latchkey/db/model"
)

// Seed makes the members that every benchmark runs on: the same ones each
// time, so that two runs can be compared.
const Seed = 1863

// Members is how many members a benchmark fills a portal with: 100,000, or
// what LATCHKEY_BENCH_MEMBERS says.
func Members(tb testing.TB) int {
	tb.Helper()
	said := os.Getenv("LATCHKEY_BENCH_MEMBERS")
	if said == "" {
		return 100_000
	}
	n, err := strconv.Atoi(said)
	if err != nil || n < 1000 {
		tb.Fatalf("LATCHKEY_BENCH_MEMBERS is a whole number from 1000 on, not %q", said)
	}
	return n
}

// People invents n members, the same ones for the same seed, as a roll is that
// grew over decades: names of many languages, few of them very common and most
// of them rare, households that share an address, fields that are empty and
// some that are very long.
func People(n int, seed uint64) iter.Seq[model.Member] {
	return func(yield func(model.Member) bool) {
		r := newRoll(seed)
		for i := range n {
			if !yield(r.member(i)) {
				return
			}
		}
	}
}

// tongue is where somebody's name comes from. Family names are a stem and an
// end, so that a few lines make thousands of them, as different from each
// other as those of a real roll.
type tongue struct {
	share  int // beside those of the others
	given  []string
	stems  []string
	ends   []string
	nicks  []string // before the @, for those whose name is not in Latin letters
	phones []string // # is a digit
	towns  []string // postcode|town
	land   string
}

// list takes words apart. A space within one is written _, and one that is
// empty -.
func list(words string) []string {
	all := strings.Fields(words)
	for i, w := range all {
		all[i] = strings.ReplaceAll(w, "_", " ")
		if w == "-" {
			all[i] = ""
		}
	}
	return all
}

var tongues = []tongue{
	{
		share: 210, land: "Germany", towns: list("10115|Berlin 80331|München 50667|Köln 20095|Hamburg 04109|Leipzig 01067|Dresden 30159|Hannover 90402|Nürnberg"),
		given: list("Peter Michael Andreas Thomas Sabine Ursula Monika Petra Wolfgang Jürgen Renate Käthe Björn Jörg Günther Anna Lena Marie Lukas Finn Karl-Heinz Hans-Peter Anne-Marie Uwe Ilse Heike Ute Max Moritz Sophie Mia Emma"),
		stems: list("Schmid Mül Mei Schä Bau Hof Stein Berg Wald Schön Grün Roth Weiß Schwarz Feld Bach Kirch Neu Alt Oster Linden Eich Zimmer Krä Vög Kö Lang"),
		ends:  list("- er mann bauer meier berger bach hofer stein feld ner ke inger huber"), phones: list("+49_17#_####### 0171-####### (030)_###_##_## 0049_89_###### 0160/####### 030_########"),
	},
	{
		share: 200, land: "United Kingdom", towns: list("SW1A_1AA|London BS1_4DJ|Bristol M1_1AE|Manchester EH1_1YZ|Edinburgh CF10_1EP|Cardiff LS1_4DY|Leeds"),
		given: list("John David Mary Margaret James Robert Susan Patricia William Elizabeth Sarah Oliver George Amelia Olivia Jack Harry Emily Ella Grace Mary-Ann Jo Al Bob Maximilian Christopher Alexandra Charlotte"),
		stems: list("Ash Black Brad Brook Clay Cross Green Hamp Har Hart Kings Lang Lock Marsh New North Oak Old Pres Rad Red Shel Stan Stock Sut Thorn Wal Whit Win Wood"),
		ends:  list("- ton ford ley well field wood by man worth ham bourne"), phones: list("07700_900### 020_7946_0### +44_7700_900### 0117_496_0### 020_7946_0###_ext._##"),
	},
	{
		share: 60, land: "Ireland", towns: list("D02_AF30|Dublin T12_XY0D|Cork H91_E2K3|Galway V94_T9PX|Limerick"),
		given: list("Seán Siobhán Aoife Niamh Pádraig Ciarán Róisín Saoirse Conor Oisín Gráinne Eoin Fiona Declan Brigid"),
		stems: list("O’ O' Mc Mac Fitz Ó_ Ní_"),
		ends:  list("Brien Connor Neill Reilly Donnell Sullivan Leary Grath Carthy Kenna Gerald Keeffe Rourke Shea Toole Dwyer Malley Meara Callaghan Gorman Hara Flaherty"), phones: list("+353_8#_###_#### 01_###_#### 086-#######"),
	},
	{
		share: 75, land: "France", towns: list("75001|Paris 69001|Lyon 13001|Marseille 44000|Nantes 67000|Strasbourg"),
		given: list("Jean Marie Pierre Michel Hélène Benoît Chloé Jérôme Maëlle François Océane Loïc Geneviève Thibault Zoé Léa Éric Jean-Luc Anne-Sophie Noël"),
		stems: list("Beau Bel Mont Du De_la_ Le Saint- Cha Gré Lef Mar Per Rou Ver Val Fon d’Au"),
		ends:  list("champ mont bois pré rivière tier vallée court fèvre guérin nier rand reau quet"), phones: list("06_##_##_##_## +33_6_##_##_##_## 01.##.##.##.##"),
	},
	{
		share: 80, land: "Poland", towns: list("00-001|Warszawa 30-001|Kraków 90-001|Łódź 50-001|Wrocław 80-001|Gdańsk"),
		given: list("Łukasz Małgorzata Paweł Agnieszka Grzegorz Zofia Michał Barbara Radosław Halina Jan Anna Piotr Krzysztof Katarzyna Świętosława Żaneta Stanisław"),
		stems: list("Kowal Wiśniew Dąbrow Lewandow Zieliń Szymań Kozłow Jankow Krawczy Piotrow Grabow Nowakow Pawłow Michal Adamcz Dudz Wróblew Jabłoń Majew Olszew Stępnie Malinow Jawor Górec Ostrow Sikor Kaczmar Łęc"),
		ends:  list("ski ska czyk czak icz iak ewicz owska"), phones: list("+48_60#_###_### 22_###_##_## 50#-###-###"),
	},
	{
		share: 55, land: "Türkiye", towns: list("34000|İstanbul 06000|Ankara 35000|İzmir 16000|Bursa"),
		given: list("Mehmet Ayşe Mustafa Fatma Ahmet Emine İbrahim Zeynep Çağrı Gülşen Oğuz Şule Ümit Ilgın Işıl Özgür Deniz"),
		stems: list("Yıl Kay Dem Çel Şah Öz Ay Ars Doğ Kılı Asla Kara Ko Kur Şim Pol Gü Er Ak Yav Boz İn Ça"),
		ends:  list("maz demir türk lan oğlu can kaya soy dağ taş gül han"), phones: list("+90_53#_###_##_## 0212_###_##_## 053########"),
	},
	{
		share: 40, land: "Vietnam", towns: list("100000|Hà_Nội 700000|Hồ_Chí_Minh 550000|Đà_Nẵng"),
		given: list("Văn_Minh Thị_Hương Đức_Anh Ngọc_Lan Hữu_Phước Thị_Thu Quang_Dũng Mai Tuấn Đăng_Khoa Thùy_Linh Bảo Yến Phương Sơn Thị_Ánh_Nguyệt"),
		stems: list("Nguyễn Trần Lê Phạm Hoàng Huỳnh Phan Vũ Võ Đặng Bùi Đỗ Hồ Ngô Dương Lý"),
		ends:  list("- _Đình _Bá"), phones: list("+84_9#_###_##_## 09########"),
	},
	{
		share: 60, land: "Spain", towns: list("28001|Madrid 08001|Barcelona 41001|Sevilla 48001|Bilbao 15001|A_Coruña"),
		given: list("José María Antonio Carmen Íñigo Lucía Ángel Inés Joaquín Rocío Andrés Pilar Begoña Nuria Jesús Concepción José_Luis María_del_Mar"),
		stems: list("Rodrígu Fernánd Gonzál Hernánd Martín Pér Sánch Ramír Álvar Domíngu Gutiérr Jimén Núñ Ibáñ Ordóñ Vázqu Lóp Góm"),
		ends:  list("ez ez_Peña ez_Muñoz ez_García ez_Ruiz ez_Castaño ez_de_la_Torre ez_Ortega ez_y_Molina ez_Serrano ez_Núñez ez_Ibarra"), phones: list("+34_6##_##_##_## 91_###_##_## 6########"),
	},
	{
		share: 55, land: "Italy", towns: list("00100|Roma 20121|Milano 80121|Napoli 10121|Torino 16121|Genova"),
		given: list("Giuseppe Maria Niccolò Chiara Matteo Ottavia Raffaele Fiammetta Ugo Noemi Corrado Ludovica Andrea Giulia Gianluca Nicolò"),
		stems: list("Ross Bianch Ferr Esposit Roman Colomb Ricc Marin Grec Brun Gall Cont Manc Cost Giord Rizz Lomb Moret D’Angel Dell’Acqu"),
		ends:  list("i ini etti one ello ari oni ucci o aro"), phones: list("+39_33#_####### 06_######## 02/#######"),
	},
	{
		share: 40, land: "Netherlands", towns: list("1012_AB|Amsterdam 3011_AD|Rotterdam 3511_AB|Utrecht 9711_AA|Groningen"),
		given: list("Pieter Sanne Joost Femke Maarten Lotte Bram Anouk Wout Griet Jan Els Jeroen Ijsbrand Daniëlle Zoë"),
		stems: list("van_den_ de_ van_der_ van_ Van ter_ ’t_ -"),
		ends:  list("Berg Vries Meulen Dijk Bos Hart Broek Heuvel Veen Horst Kuiper Smit Linden Wal Velde Bosch IJsselstein"), phones: list("06-######## +31_6_######## 020-#######"),
	},
	{
		share: 45, land: "Sweden", towns: list("111_20|Stockholm 411_03|Göteborg 0150|Oslo 1050|København 8000|Aarhus"),
		given: list("Lars Anna Åsa Björn Øystein Søren Astrid Ingrid Håkan Märta Jens Kåre Þóra Guðrún Ægir Nils"),
		stems: list("And Hans Nil Lars Joh Peder Søren Ols Jens Kristi Rasm Sjö Lind Berg Ström Åk Öst Näs Hög Dal"),
		ends:  list("ersson sen sson ström qvist gren lund berg holm dahl stad gård"), phones: list("+46_70_###_##_## 08-###_##_## +47_9##_##_###"),
	},
	{
		share: 25, land: "Czechia", towns: list("110_00|Praha 602_00|Brno 301_00|Plzeň"),
		given: list("Jiří Jana Tomáš Markéta Ondřej Lenka Řehoř Zdeněk Šárka Václav"),
		stems: list("Novot Dvoř Svob Čern Procház Kuč Vesel Horá Něm Marek Pospíš Háj Říh Šťast"),
		ends:  list("ný ák oda á ková ec ová íček ek il"), phones: list("+420_6##_###_### 2########"),
	},
	{
		share: 15, land: "Hungary", towns: list("1011|Budapest 4024|Debrecen 6720|Szeged"),
		given: list("László Éva Gábor Zsuzsanna Ödön Őszike Tünde György István Ágnes"),
		stems: list("Nagy Kis Szab Tót Horvát Kovác Varg Ném Fark Balog Papp Takác Juhász Szűc Győr Erdő"),
		ends:  list("- s ó ffy falvi házi eth ász hegyi váry"), phones: list("+36_30_###_#### 06_1_###_####"),
	},
	{
		share: 20, land: "Україна", towns: list("01001|Київ 79000|Львів 65000|Одеса"),
		given: list("Олександр Олена Андрій Юлія Іван Оксана Тарас Ганна Ґеорґій Їлана Соломія"),
		stems: list("Шевч Коваль Бонд Ткач Крав Мельн Полі Олій Лис Гончар Савч Петр Їжак Ґал"),
		ends:  list("енко чук ук ик юк ський ська ець"), nicks: list("oleksandr olena andrii yuliia ivan oksana taras hanna"), phones: list("+380_67_###_##_## 044-###-##-##"),
	},
	{
		share: 20, land: "Россия", towns: list("101000|Москва 190000|Санкт-Петербург 620000|Екатеринбург"),
		given: list("Алексей Наталья Сергей Ольга Дмитрий Елена Фёдор Семён Алёна Ярослав Анна-Мария"),
		stems: list("Иван Смирн Кузнец Поп Вол Сокол Лебед Козл Новик Мороз Пав Сём Голуб Виноград Богдан Воробь Фёдор Михайл Беля Тарас Бел Комар Орл Кисел"),
		ends:  list("ов ова ев ева ин ина ский ская енко ович"), nicks: list("alexey natalia sergey olga dmitry elena fedor semyon"), phones: list("+7_9##_###-##-## 8_(495)_###-##-##"),
	},
	{
		share: 15, land: "Ελλάδα", towns: list("105_57|Αθήνα 546_24|Θεσσαλονίκη 262_21|Πάτρα"),
		given: list("Γιώργος Μαρία Νίκος Ελένη Δημήτρης Κατερίνα Γιάννης Σοφία Αχιλλέας Ζωή"),
		stems: list("Παπα Χατζη Καρα Δημη Γεωργ Νικολ Κωνσταντ Αντων Βασιλ Ιωανν Μακρ Αλεξ Θεοδωρ Οικονομ"),
		ends:  list("δόπουλος ίδης άκης όπουλος ίδου ιάδης άκος έας ούλης οπούλου"), nicks: list("giorgos maria nikos eleni dimitris katerina yannis sofia"), phones: list("+30_69########_ 210_#######"),
	},
	{
		share: 15, land: "مصر", towns: list("11511|القاهرة 21500|الإسكندرية"),
		given: list("محمد فاطمة أحمد عائشة علي زينب مُحَمَّد خالد ليلى يوسف"),
		stems: list("- ال بن_ أبو_ عبد_ال"),
		ends:  list("حسن محمود خطيب رحمن نجار صالح علي قاسم حداد كريم عزيز منصور شامي مصري فارس سعيد"), nicks: list("mohamed fatima ahmed aisha ali zeinab khaled layla"), phones: list("+20_10_####_#### 02_####_####"),
	},
	{
		share: 10, land: "ישראל", towns: list("6100000|תל_אביב 9100000|ירושלים 3100000|חיפה"),
		given: list("דוד שרה יוסף רחל משה מרים נועה איתן תמר יעל"),
		stems: list("- בן_ בר_ בן־"),
		ends:  list("כהן לוי מזרחי פרץ ביטון דהן אברהם פרידמן שפירא גולן רוזן אדלר ברק גל"), nicks: list("david sarah yosef rachel moshe miriam noa eitan"), phones: list("+972_5#-###-#### 03-#######"),
	},
	{
		share: 20, land: "中国", towns: list("100000|北京 200000|上海 510000|广州"),
		given: list("伟 芳 娜 敏 静 丽 强 磊 洋 艳 秀英 建国 小明 雪梅 志强 晓东 文 婷婷"),
		stems: list("王 李 张 刘 陈 杨 赵 黄 周 吴 徐 孙 胡 朱 高 林 何 郭 马 罗 梁 宋 郑 谢 韩 唐 冯 于 董 萧 欧阳 司马"),
		ends:  list("-"), nicks: list("wei fang na min jing li qiang lei yang xiaoming"), phones: list("+86_13#_####_#### 010-########"),
	},
	{
		share: 10, land: "日本", towns: list("100-0001|東京 530-0001|大阪 604-0001|京都"),
		given: list("翔太 陽菜 大輔 美咲 健 由美子 さくら ひろし カレン 蓮"),
		stems: list("田 山 高 中 松 小 大 石 井 藤"),
		ends:  list("中 田 本 村 口 川 野 島 崎 原"), nicks: list("shota hina daisuke misaki ken yumiko sakura hiroshi"), phones: list("+81_90-####-#### 03-####-####"),
	},
	{
		share: 10, land: "भारत", towns: list("110001|नई_दिल्ली 400001|मुंबई"),
		given: list("राजेश प्रिया अमित सुनीता विजय अंजलि कृष्ण ज्योति"),
		stems: list("शर्मा वर्मा गुप्ता सिंह मेहता पटेल जोशी अग्रवाल त्रिपाठी मिश्रा चौधरी"),
		ends:  list("-"), nicks: list("rajesh priya amit sunita vijay anjali krishna jyoti"), phones: list("+91_98###_##### 011-########"),
	},
}

var (
	// Reserved for examples (RFC 2606): no letter of a benchmark could ever
	// reach anybody. As on a real roll, most people are with few providers.
	providers = list("post.example mail.example webmail.example inbox.example home.example fastpost.example uni-mail.example rowing.example")
	kinds     = list("Full Family Youth Honorary Supporting Student")
	crafts    = list("Bakery Joinery Consulting Optics Print Garden Logistics Travel Books Physiotherapy")
	streets   = list("Hauptstraße High_Street Rue_de_la_Gare Lange_Gasse Mill_Lane Bahnhofstraße Kirchweg Am_Anger Church_Road Via_Roma ulica_Długa Calle_Mayor")
	remark    = "Rang in spring about the new statutes; sends the fee by standing order. Prefers letters. Ask for the children, who row in the youth eight. "
)

// roll is the people being invented: what they have in common and, for
// households, who was the one before.
type roll struct {
	dice   *rand.Rand
	of     []int        // tongues by number, each as often as its share
	given  []*rand.Zipf // ranks of names, by tongue
	family []*rand.Zipf
	mail   *rand.Zipf // ranks of providers

	home  model.Member // whose household somebody may belong to
	lives int          // how many do
}

func newRoll(seed uint64) *roll {
	dice := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // nothing about invented people is secret
	// A steep start and a long tail: the commonest family name of a language is
	// that of one in thirteen, half of all names are hardly anybody's.
	common := func(n int) *rand.Zipf { return rand.NewZipf(dice, 1.2, 4, uint64(n-1)) }
	r := &roll{dice: dice, mail: common(len(providers))}
	for i, t := range tongues {
		for range t.share {
			r.of = append(r.of, i)
		}
		r.given = append(r.given, common(len(t.given)))
		r.family = append(r.family, common(len(t.stems)*len(t.ends)))
	}
	return r
}

func pick(dice *rand.Rand, from []string) string { return from[dice.IntN(len(from))] }

// once in n it is true.
func (r *roll) once(n int) bool { return r.dice.IntN(n) == 0 }

func (r *roll) member(i int) model.Member {
	which := r.of[r.dice.IntN(len(r.of))]
	t := tongues[which]
	m := model.Member{
		MemberNo: r.number(i), FirstName: t.given[r.given[which].Uint64()], LastName: r.familyName(t, which),
		Phone: r.phone(t), Status: r.status(), MembershipType: pick(r.dice, kinds),
		BirthDate: r.date(1930, 75), JoinedOn: r.date(1965, 60),
	}
	m.Address1 = fmt.Sprintf("%s %d", pick(r.dice, streets), 1+r.dice.IntN(200))
	m.Postcode, m.City, _ = strings.Cut(pick(r.dice, t.towns), "|")
	m.Country = t.land
	m.Email = r.email(i, t, m)
	r.rarely(&m, t, which)
	if r.lives < 4 && r.home.Email != "" && r.home.LastName != "" && r.once(12) {
		r.lives++
		m.LastName, m.Email, m.Address1, m.City, m.Postcode, m.Country = r.home.LastName, r.home.Email, r.home.Address1, r.home.City, r.home.Postcode, r.home.Country
	} else {
		r.home, r.lives = m, 1
	}
	return m
}

// familyName is a stem and an end. Neighbours in rank have neither in common:
// otherwise the commonest names would all begin alike.
func (r *roll) familyName(t tongue, which int) string {
	n := uint64(len(t.stems) * len(t.ends))
	rank := r.family[which].Uint64() * 7919 % n // a prime that divides none of them
	return t.stems[rank%uint64(len(t.stems))] + t.ends[rank/uint64(len(t.stems))]
}

// number is a member number in one of the shapes that an association had over
// the years, never the same twice.
func (r *roll) number(i int) string {
	switch n := r.dice.IntN(100); {
	case n < 60:
		return strconv.Itoa(20_000 + i)
	case n < 85:
		return fmt.Sprintf("RC-%06d", i)
	case n < 92:
		return fmt.Sprintf("%d/%05d-%c", 1990+r.dice.IntN(30), i, 'A'+rune(r.dice.IntN(4)))
	}
	return ""
}

func (r *roll) phone(t tongue) string {
	if r.once(6) {
		return ""
	}
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if c == '#' {
			return '0' + rune(r.dice.IntN(10))
		}
		return c
	}, pick(r.dice, t.phones)))
}

func (r *roll) status() model.Status {
	switch n := r.dice.IntN(100); {
	case n < 84:
		return model.StatusActive
	case n < 91:
		return model.StatusLapsed
	case n < 94:
		return model.StatusProspect
	}
	return model.StatusFormer
}

func (r *roll) date(from, years int) string {
	return time.Date(from+r.dice.IntN(years), time.Month(1+r.dice.IntN(12)), 1+r.dice.IntN(28), 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
}

// email is nobody else's: a shared one is a household's, and they share it on
// purpose.
func (r *roll) email(i int, t tongue, m model.Member) string {
	if r.once(9) {
		return ""
	}
	first, whole := latin(m.FirstName), latin(m.FirstName)+"."+latin(m.LastName)
	if t.nicks != nil {
		first = pick(r.dice, t.nicks)
		whole = first
	}
	switch r.dice.IntN(4) {
	case 0:
		whole = first + "_"
	case 1:
		whole = strings.ToUpper(whole[:1]) + whole[1:]
	}
	return whole + strconv.Itoa(i) + "@" + providers[r.mail.Uint64()]
}

// latin is a name as its holder writes it before the @.
func latin(name string) string {
	return strings.Map(func(c rune) rune {
		if c >= utf8.RuneSelf || !unicode.IsLetter(c) {
			return -1
		}
		return c
	}, model.Fold(name))
}

// rarely is what few records have, and without which every search looks easy.
func (r *roll) rarely(m *model.Member, t tongue, which int) {
	if r.once(12) {
		m.Company = m.LastName + " " + pick(r.dice, crafts)
	}
	if r.once(25) {
		m.LastName += "-" + r.familyName(t, which) // a double name
	}
	if r.once(40) {
		m.FirstName += " " + t.given[r.given[which].Uint64()]
	}
	if r.once(30) {
		m.Address2 = "c/o " + r.familyName(t, which)
	}
	if r.once(3) {
		m.RenewsOn = r.date(2026, 2)
	}
	if r.once(25) {
		m.Notes = strings.TrimSpace(strings.Repeat(remark, 1+r.dice.IntN(3)))
	}
	switch r.dice.IntN(400) {
	case 0:
		m.Notes = strings.TrimSpace(strings.Repeat(remark, 30)) // four thousand characters
	case 1:
		m.FirstName, m.LastName, m.Company = "", "", "Wohnungsbau- und Siedlungsgenossenschaft "+m.LastName+" & Söhne eG, Abteilung für Vereinsangelegenheiten"
	case 2:
		m.LastName = strings.Join([]string{m.LastName, r.familyName(t, which), "von und zu", r.familyName(t, which)}, " ")
	case 3:
		m.FirstName, m.BirthDate, m.Phone, m.Address1, m.City, m.Postcode, m.Country, m.JoinedOn = "", "", "", "", "", "", "", ""
	}
}

// Search is one way in which people look for a member.
type Search struct {
	Kind  string
	Often int // in a hundred searches
	text  func(m model.Member) string
}

// Searches is how the office searches: while it types, so beginnings are asked
// for more often than whole words. The shares are ours; what they must not do
// is leave out the short beginnings, which match most and cost most.
var Searches = []Search{
	{"1 letter of the last name", 5, func(m model.Member) string { return beginning(m.LastName, 1) }},
	{"2 letters of the last name", 12, func(m model.Member) string { return beginning(m.LastName, 2) }},
	{"2 letters of the first name", 4, func(m model.Member) string { return beginning(m.FirstName, 2) }},
	{"3 letters of the last name", 20, func(m model.Member) string { return beginning(m.LastName, 3) }},
	{"3 letters of the first name", 8, func(m model.Member) string { return beginning(m.FirstName, 3) }},
	{"4 letters of the last name", 15, func(m model.Member) string { return beginning(m.LastName, 4) }},
	{"4 letters of the first name", 4, func(m model.Member) string { return beginning(m.FirstName, 4) }},
	{"last name", 8, func(m model.Member) string { return m.LastName }},
	{"first and last name", 5, func(m model.Member) string { return both(m.FirstName, m.LastName) }},
	{"first name, 2 letters of the last", 7, func(m model.Member) string { return both(m.FirstName, beginning(m.LastName, 2)) }},
	{"5 digits of the phone number", 3, func(m model.Member) string { return beginning(model.Digits(m.Phone), 5) }},
	{"phone number", 2, func(m model.Member) string { return m.Phone }},
	{"4 signs of the member number", 2, func(m model.Member) string { return beginning(m.MemberNo, 4) }},
	{"member number", 3, func(m model.Member) string { return m.MemberNo }},
	{"6 letters of the email", 2, func(m model.Member) string { return beginning(m.Email, 6) }},
}

// For is what somebody types who looks for this member, with accents or
// without; "" if the record has nothing of the kind.
func (s Search) For(m model.Member, dice *rand.Rand) string {
	text := s.text(m)
	if len(model.SearchWords(text)) == 0 {
		return ""
	}
	if dice.IntN(2) == 0 {
		return model.Fold(text)
	}
	return text
}

func beginning(text string, letters int) string {
	all := []rune(text)
	if len(all) < letters {
		return ""
	}
	return string(all[:letters])
}

func both(first, second string) string {
	if first == "" || second == "" {
		return ""
	}
	return first + " " + second
}

// RandomMember draws one of a portal's members by a connection of one's own.
// Ids are drawn, so members have to be in a row, as Fill puts them.
func RandomMember(ctx context.Context, raw *sql.DB, dice *rand.Rand, first, last int64) (m model.Member, err error) {
	m.ID = first + dice.Int64N(last-first+1)
	err = raw.QueryRowContext(ctx, `SELECT member_no, first_name, last_name, company, email, phone FROM member WHERE id = ?`, m.ID).
		Scan(&m.MemberNo, &m.FirstName, &m.LastName, &m.Company, &m.Email, &m.Phone)
	return m, err
}

// Fill sets up the portal in a folder, if nobody did, and puts n invented
// members into it, with accounts for six in ten and what these have been
// through: links, letters, sign-ins. It writes rows past the acts, which would
// take minutes. It gives the ids of the first and the last; those between are
// theirs too.
//
// Nobody of them has a password that can be typed.
func Fill(tb testing.TB, folder string, n int) (first, last int64) {
	tb.Helper()
	ctx := context.Background() // a benchmark's own ends before what it shares with others
	d, err := db.Open(ctx, folder, db.Fixed{})
	if err != nil {
		tb.Fatal(err)
	}
	setUp(tb, d)
	first, err = fill(ctx, d, folder, n)
	if err == nil {
		err = d.IndexMembers(ctx)
	}
	if err := errors.Join(err, d.Close()); err != nil {
		tb.Fatal(err)
	}
	return first, first + int64(n) - 1
}

// RawDSN is how a benchmark opens a portal's database beside the portal.
func RawDSN(folder, options string) string {
	return "file:" + (&url.URL{Path: filepath.Join(folder, "latchkey.db")}).EscapedPath() + "?_busy_timeout=10000&" + options
}

// filler writes the rows of members one after another. The first error stays.
type filler struct {
	ctx   context.Context
	conn  *sql.Conn
	ready map[string]*sql.Stmt // by table
	err   error

	dice                           *rand.Rand
	now                            time.Time
	keyID                          string
	owner                          int64 // account
	member, account, reset, letter int64 // newest ids
}

// perCommit keeps the write-ahead log from growing as large as the database.
const perCommit = 50_000

func fill(ctx context.Context, d *db.DB, folder string, n int) (first int64, err error) {
	raw, err := sql.Open("sqlite3", RawDSN(folder, "_synchronous=OFF&_cache_size=-200000"))
	if err != nil {
		return 0, err
	}
	defer raw.Close()
	conn, err := raw.Conn(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	f := &filler{
		ctx: ctx, conn: conn, ready: map[string]*sql.Stmt{}, now: d.Now(), keyID: d.Keys().CurrentID(),
		dice: rand.New(rand.NewPCG(Seed, 1)), //nolint:gosec // nothing about invented people is secret
	}
	if err := conn.QueryRowContext(ctx, `
		SELECT (SELECT min(id) FROM account WHERE role = 'owner'), (SELECT max(id) FROM member), (SELECT max(id) FROM account),
			(SELECT coalesce(max(id), 0) FROM reset), (SELECT coalesce(max(id), 0) FROM letter)`).
		Scan(&f.owner, &f.member, &f.account, &f.reset, &f.letter); err != nil {
		return 0, err
	}
	first = f.member + 1
	f.run("BEGIN IMMEDIATE")
	for m := range People(n, Seed) {
		f.enroll(m)
		if (f.member-first)%perCommit == perCommit-1 {
			f.run("COMMIT")
			f.run("BEGIN IMMEDIATE")
		}
		if f.err != nil {
			return first, f.err
		}
	}
	f.run("COMMIT")
	for _, insert := range f.ready {
		// What is left open keeps the connection, and with it the log file.
		f.err = errors.Join(f.err, insert.Close())
	}
	return first, f.err
}

func (f *filler) run(statement string) {
	if f.err == nil {
		_, f.err = f.conn.ExecContext(f.ctx, statement)
	}
}

// put inserts a row; each table always gets the same columns.
func (f *filler) put(table, columns string, values ...any) {
	if f.err != nil {
		return
	}
	insert := f.ready[table]
	if insert == nil {
		marks := strings.Repeat(", ?", len(values))[2:]
		query := "INSERT INTO " + table + " (" + columns + ") VALUES (" + marks + ")" //nolint:gosec // both are constants of this file
		if insert, f.err = f.conn.PrepareContext(f.ctx, query); f.err != nil {
			return
		}
		f.ready[table] = insert
	}
	_, f.err = insert.ExecContext(f.ctx, values...)
}

// ago is a moment at least so long ago, and less than most.
func (f *filler) ago(least, most time.Duration) time.Time {
	return f.now.Add(-least - time.Duration(f.dice.Int64N(int64(most-least)))).Truncate(time.Second)
}

// orNull is NULL for a text that there is not.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

const day = 24 * time.Hour

// enroll puts somebody on the roll. What people are searched and sorted by
// stays empty: the portal works it out for all at once.
func (f *filler) enroll(m model.Member) {
	f.member++
	m.ID = f.member
	added := f.ago(100*day, 2000*day).Unix()
	f.put("member", `id, member_no, member_no_key, first_name, last_name, company, email, email_key, phone, phone_digits,
		address1, address2, city, region, postcode, country, birth_date, membership_type, status, joined_on, renews_on, notes,
		sort_key, search, created_at, updated_at`,
		m.ID, m.MemberNo, orNull(model.MemberNoKey(m.MemberNo)), m.FirstName, m.LastName, m.Company,
		m.Email, orNull(model.EmailKey(m.Email)), m.Phone, model.Digits(m.Phone),
		m.Address1, m.Address2, m.City, m.Region, m.Postcode, m.Country, m.BirthDate, m.MembershipType, m.Status, m.JoinedOn, m.RenewsOn, m.Notes,
		"", "", added, added)
	if f.dice.IntN(100) < 60 && m.Email+m.MemberNo != "" {
		f.open(m)
	}
}

// open gives somebody an account. A third were never signed in, and half of
// these never set a password.
func (f *filler) open(m model.Member) {
	f.account++
	a := model.Account{ID: f.account, MemberID: m.ID, Email: m.Email, Role: model.RoleMember}
	made := f.ago(70*day, 85*day) // letters are kept for 90 days
	fate := f.dice.IntN(6)
	a.HasPassword = fate != 0
	if a.HasPassword {
		a.PasswordVersion, a.PasswordSetAt = 1, f.ago(65*day, 70*day)
	}
	if fate > 1 {
		a.LastSignInAt = f.ago(time.Hour, 60*day)
	}
	switch n := f.dice.IntN(2000); {
	case n < 1:
		a.Role = model.RoleStaff
	case n < 3:
		a.Role = model.RoleViewer
	case n < 13:
		a.DisabledAt = f.ago(day, 30*day)
	case n < 60 && m.Email != "":
		a.Email = "new." + m.Email // the record was not brought up to date
	}
	if a.Role.InOffice() {
		a.Email = fmt.Sprintf("desk%d@office.example", a.ID) // never shared
	}
	var password any
	if a.HasPassword {
		password = []byte{} // nothing that could be typed has this hash
	}
	f.put("account", `id, member_id, email, email_key, role, password_hash, password_version, password_set_at,
		salt, disabled_at, last_sign_in_at, created_at`,
		a.ID, a.MemberID, a.Email, orNull(model.EmailKey(a.Email)), a.Role, password, a.PasswordVersion, moment(a.PasswordSetAt),
		[]byte{}, moment(a.DisabledAt), moment(a.LastSignInAt), made.Unix())
	f.links(a, made)
}

// moment is a time as a row holds it: NULL for the zero time.
func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Unix()
}

// links is what an account had sent: the first link, and for some a later one
// that was used, was cancelled, expired, or is live.
func (f *filler) links(a model.Account, made time.Time) {
	first := a
	first.PasswordVersion = 0
	if a.HasPassword {
		f.link(first, made, a.PasswordSetAt, model.EndUsed)
	} else {
		f.link(first, made, made.Add(model.UsualResets.Lifetime), "")
	}
	switch n := f.dice.IntN(100); {
	case a.Disabled():
	case n < 2: // live, on screen for hours yet, and not shown to anybody
		f.link(a, f.ago(0, 8*time.Hour), time.Time{}, "")
	case n < 4: // live, past the time in which it is sent again
		f.link(a, f.ago(day, 6*day), time.Time{}, "")
	case n < 10: // nobody ended it, but it is too old
		f.link(a, f.ago(10*day, 60*day), time.Time{}, "")
	case n < 12:
		sent := f.ago(10*day, 60*day)
		f.link(a, sent, sent.Add(time.Hour), model.EndCancelled)
	}
}

// link is one link and the letter it went out with.
func (f *filler) link(a model.Account, made, ended time.Time, why model.EndReason) {
	f.reset++
	selector := binary.BigEndian.AppendUint64(nil, f.dice.Uint64())
	asked, by, name := model.ByMember, any(nil), ""
	if f.dice.IntN(2) == 0 {
		asked, by, name = model.ByPerson, any(f.owner), "Ruth Adler"
	}
	f.put("reset", `id, account_id, selector, key_id, made_at, expires_at, email, password_version, resend_until,
		asked_at, asked_kind, asked_by, asked_name, ended_at, end_reason`,
		f.reset, a.ID, selector, f.keyID, made.Unix(), made.Add(model.UsualResets.Lifetime).Unix(), a.Email, a.PasswordVersion,
		made.Add(model.UsualResets.ResendWindow).Unix(), made.Unix(), asked, by, name, moment(ended), why)
	if a.Email == "" {
		return
	}
	f.letter++
	kind, state, code, reply := model.LetterReset, model.LetterAccepted, 250, "2.0.0 Ok: queued"
	if !a.HasPassword {
		kind = model.LetterWelcome
	}
	if f.dice.IntN(50) == 0 {
		state, code, reply = model.LetterFailed, 550, "5.1.1 Recipient address rejected: User unknown"
	}
	left := made.Add(time.Second).Unix()
	f.put("letter", `id, kind, to_email, to_key, message_id, priority, state, asked_kind, asked_by, created_at, due_at, settled_at,
		attempts, code, reply`,
		f.letter, kind, a.Email, model.EmailKey(a.Email), fmt.Sprintf("%016x@members.example", f.dice.Uint64()), kind.Priority(),
		state, asked, by, made.Unix(), made.Unix(), left, 1, code, reply)
	f.put("letter_subject", "letter_id, account_id, reset_id", f.letter, a.ID, f.reset)
	f.put("letter_attempt", "letter_id, started_at, ended_at, code, reply", f.letter, made.Unix(), left, code, reply)
}
