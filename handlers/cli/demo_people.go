package cli

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"latchkey/db/model"
)

// roll is who is in the demonstration's association: given/family name, with
// an address's spelling after = where our own folding would not find one. The
// first three work in the office.
const roll = `
Ruth/Adler, Siobhán/O’Brien, Anjali/Mehta, Harold/Pemberton, Gwen/Llewellyn, Mairi/MacLeod, Ewan/Drummond, Dilys/Probert, Fergus/Kinsella, Bethan/Rees,
Łukasz/Wiśniewski, Małgorzata/Zielińska, Paweł/Dąbrowski, Agnieszka/Wójcik, Grzegorz/Szczepański, Zofia/Gołębiewska, Michał/Kępiński, Barbara/Świątek, Radosław/Żak, Halina/Łęcka,
Jürgen/Groß, Käthe/Strauß, Annelie/Müller, Matthias/Schäfer, Heike/Böhm, Wolfgang/Weiß, Ute/Köhler, Björn/Hübner, Sieglinde/Brändle, Karl-Heinz/Lüdtke,
Hélène/Lefèvre, Benoît/Caron, Chloé/Dupré, Jérôme/Le Goff, Maëlle/Kervella, François/Guérin, Océane/Bélanger, Loïc/Hervé, Geneviève/d’Aubigné, Thibault/Noël,
José/Núñez, Begoña/Etxeberria, Íñigo/Muñoz, Lucía/García Márquez, Ángel/Peña, Inés/Castaño, Joaquín/Ibáñez, Rocío/Domínguez, Andrés/Quiñones, Pilar/Ordóñez,
João/Gonçalves, Conceição/Simões, Luís/Magalhães, Inês/Falcão, Sebastião/Leitão, Mafalda/Antunes, Tomás/Brandão, Lúcia/Assunção, Gil/Mourão, Fátima/Guimarães,
Niccolò/D’Angelo, Chiara/Esposito, Matteo/Lo Presti, Ottavia/Zanetti, Raffaele/De Luca, Fiammetta/Bianchi, Ugo/Tagliaferri, Noemi/Cattaneo, Corrado/Pellegrini, Ludovica/Serra,
Pieter/van den Berg, Sanne/de Vries, Joost/’t Hart, Femke/Wiersma, Maarten/Ijsselstein, Lotte/van der Meulen, Bram/Kuipers, Anouk/Claeys, Wout/Vermeulen, Griet/De Smedt,
Åsa/Lindström, Jörgen/Nyqvist, Søren/Kjærgaard, Bodil/Højgaard, Håkon/Bråten, Ragnhild/Ødegård, Þórdís/Guðmundsdóttir, Sigurður/Þorsteinsson, Päivi/Hämäläinen, Väinö/Mäkelä,
Jiří/Dvořák, Božena/Horáčková, Zdeněk/Hříbek, Ľudmila/Šťastná, Ondrej/Kováč, Květa/Černá, Miloš/Hájek, Alžbeta/Ďuríčková, Vojtěch/Růžička, Šárka/Žižková,
Zsófia/Szűcs, Gergő/Kőszegi, Erzsébet/Nagy, László/Tóth, Ágnes/Gyöngyösi, Ștefan/Țurcanu, Ileana/Bălănescu, Mihai/Brâncoveanu, Smaranda/Ioniță, Răzvan/Mușat,
Željko/Kovačević, Đurđica/Šimić, Miroslav/Čačić, Ružica/Perković, Ljiljana/Đorđević, Boštjan/Žagar, Špela/Zupančič, Nikola/Petrović, Azra/Hadžić, Emir/Begović,
Олена/Коваленко=olena.kovalenko, Тарас/Шевчук=taras.shevchuk, Oksana/Bondarenko, Ірина/Мельник=iryna.melnyk, Dmytro/Kravchenko, Светлана/Павлова=svetlana.pavlova, Георги/Димитров=georgi.dimitrov, Yordanka/Ivanova, Lev/Abramov, Halyna/Tkachuk,
Νίκος/Παπαδόπουλος=nikos.papadopoulos, Eleni/Karagianni, Δέσποινα/Οικονόμου=despina.economou, Stavros/Mavromatis, Kalliope/Vlachou, Արամ/Պետրոսյան=aram.petrosyan, Anahit/Sargsyan, ნინო/ბერიძე=nino.beridze, Giorgi/Lomidze, Andreas/Hadjimichael,
Ayşe/Yılmaz, Mehmet/Çelik, İbrahim/Öztürk, Gülşen/Aydın, Emre/Güneş, Zeynep/Kılıç, Şirin/Ağaoğlu, Hüseyin/Doğan, Rojda/Demirtaş, Oğuz/Şahin,
ليلى/حداد=layla.haddad, Karim/Benchekroun, Nour/Al-Khatib, Yusuf/El-Masri, سمير/خوري=samir.khoury, Amal/Boutros, Rania/Shaheen, Tarek/Mansour, Hana/Ben Youssef, Idris/Belkacem,
דוד/לוי=david.levi, Miriam/Ben-Ami, Avigail/Rosenzweig, Shirin/Farrokhzad, کاوه/رضایی=kaveh.rezaei, Parisa/Golestani, Dariush/Etemadi, Zarina/Nazarova, Farhod/Yusupov, Nasrin/Ahmadzai,
Arjun/Iyer, Lakshmi/Venkataraman, Gurpreet/Singh Gill, Harjit/Kaur, Rahul/Deshpande, Shabnam/Qureshi, Farhan/Siddiqui, Nusrat/Chowdhury, Tanvir/Rahman, प्रिया/शर्मा=priya.sharma,
Nimal/Jayawardena, Dilini/Wickramasinghe, Karthik/Sivanesan, Tenzin/Dolma, Pasang/Sherpa, Suresh/Gurung, Thandar/Aung, Somchai/Rattanakosin, Ratana/Sok, Wayan/Suryani,
Đặng Thị/Hương, Nguyễn Văn/Minh, Trần/Quốc Bảo, Phạm/Thùy Linh, Hoàng/Anh Tuấn, Maria Luz/Bautista, Jun/Dimaculangan, Siti/Aminah Rahim, Budi/Santoso, Lê Thị/Ngọc Ánh,
田中/美咲=misaki.tanaka, Kenji/Watanabe, 王/晓梅=xiaomei.wang, Mei-Ling/Chen, Lihua/Zhang, 김/지우=jiwoo.kim, Seo-yeon/Park, Haruka/Ōshima, Wing-Yan/Cheung, Batbayar/Ganbold,
Adébáyọ̀/Ọlátúnjí, Ngozi/Okonkwo, Chidi/Eze, Aïssatou/Diallo, Kwame/Asante, Ama/Owusu, Mamadou/Ndiaye, Folasade/Akindele, Ousmane/Traoré, Abena/Mensah,
Wanjirũ/Kamau, Otieno/Ochieng, Almaz/Tesfaye, Dawit/Haile, Hodan/Abdi, Yusuf/Warsame, Thandiwe/Dlamini, Sipho/Nkosi, Tendai/Moyo, Naledi/Mokoena,
Shanice/Campbell, Delroy/Gordon, Marvella/St. Hilaire, Winston/Braithwaite, Keoni/Kahananui, Aroha/Ngata, Tāne/Parata, Xóchitl/Ramírez, Itzel/Hernández, Cauã/Figueiredo`

const rollSize = 240

// What makers are called by, and where they are. The streets are invented. No
// address, number or mailbox can be anybody's: .example is reserved (RFC 2606
// §2), no British postcode ends in the letters used here, and Ofcom keeps
// these telephone numbers for plays and films.
var (
	crafts = []string{"Ceramics", "Joinery", "Bookbinding", "Letterpress", "Weaving", "Glass", "Cycles",
		"Upholstery", "Lutes & Guitars", "Basketry", "Silver", "Leather", "Clock Repair", "Sails & Canvas", "Lampshades"}
	streets = []string{"Ropewalk Lane", "Old Dye House", "Tallow Street", "Cooper’s Yard", "Ferry Steps",
		"Sailmaker’s Row", "Lower Kiln Road", "Anchor Terrace", "Saltmarsh Drive", "Tidewater Quay", "Glassblowers’ Hill"}
	mailboxes = []string{"post.example", "mailbox.example", "letters.example", "home.example"}
	kinds     = []string{"Maker", "Maker", "Maker", "Maker", "Friend", "Friend", "Concession", "Honorary"}
	remarks   = []string{"Prefers a call to an email.", "Keyholder for the kiln room.", "Step-free access, please.",
		"Pays by standing order.", "Runs the Thursday drop-in.", "Has lent the guild a letterpress; return by spring."}
)

// invented gives the demonstration's people, the same on every run; only
// their years of membership move with today.
func invented(today time.Time) []model.Member {
	// With this seed the people of the story are on the roll as it needs them.
	dice := rand.New(rand.NewPCG(3311, rollSize)) //nolint:gosec // nothing about invented people is secret
	pick := func(from []string) string { return from[dice.IntN(len(from))] }
	people := make([]model.Member, 0, rollSize)
	for i, entry := range strings.Split(strings.ReplaceAll(roll, "\n", " "), ",") {
		name, mailbox, _ := strings.Cut(strings.TrimSpace(entry), "=")
		given, family, _ := strings.Cut(name, "/")
		if mailbox == "" {
			mailbox = slug(given, "") + "." + slug(family, "")
		}
		m := model.Member{
			MemberNo: fmt.Sprintf("HG-%04d", 1001+i*7), FirstName: given, LastName: family,
			Email:    mailbox + "@" + pick(mailboxes),
			Phone:    fmt.Sprintf("0117 496 %04d", i*3),
			Address1: fmt.Sprintf("%d %s", 1+dice.IntN(88), pick(streets)), City: "Bristol", Country: "United Kingdom",
			Postcode:       fmt.Sprintf("BS%d %d%c%c", 1+dice.IntN(9), 1+dice.IntN(9), "CIKMOV"[dice.IntN(6)], "CIKMOV"[dice.IntN(6)]),
			BirthDate:      time.Date(1938+dice.IntN(65), time.Month(1+dice.IntN(12)), 1+dice.IntN(28), 0, 0, 0, 0, time.UTC).Format(time.DateOnly),
			MembershipType: pick(kinds),
		}
		if dice.IntN(2) == 0 {
			m.Phone = fmt.Sprintf("07700 900%03d", 4*i%1000)
		}
		if latin := slug(family, "-"); latin != "" && dice.IntN(5) < 2 {
			craft := pick(crafts)
			m.Company = family + " " + craft
			m.Email = mailbox + "@" + latin + "-" + slug(craft, "-") + ".example"
			if dice.IntN(3) == 0 {
				m.MembershipType = "Workshop"
			}
		}
		if dice.IntN(9) == 0 {
			m.Notes = pick(remarks)
		}
		if i%31 == 17 { // there are always some without
			m.Email = ""
		}
		if i%37 == 23 {
			m.Phone = ""
		}
		enroll(&m, dice, today)
		people = append(people, m)
	}
	return people
}

// enroll gives somebody their years in the association: most are active,
// some did not renew, a few left, a few are only looking.
func enroll(m *model.Member, dice *rand.Rand, today time.Time) {
	joined, grownUp := today.AddDate(-1-dice.IntN(24), -dice.IntN(12), -dice.IntN(28)), dice.IntN(600)
	if born, err := time.Parse(time.DateOnly, m.BirthDate); err == nil && joined.Before(born.AddDate(18, 0, 0)) {
		joined = born.AddDate(18, 0, grownUp)
	}
	renewal := time.Date(today.Year(), joined.Month(), joined.Day(), 0, 0, 0, 0, time.UTC)
	if !renewal.After(today) {
		renewal = renewal.AddDate(1, 0, 0)
	}
	m.Status = model.StatusActive
	switch n := dice.IntN(100); {
	case n < 10:
		m.Status, renewal = model.StatusLapsed, renewal.AddDate(-1, 0, 0)
	case n < 16:
		left := 2 + dice.IntN(3)
		m.Status, joined, renewal = model.StatusFormer, joined.AddDate(-left, 0, 0), renewal.AddDate(-left, 0, 0)
	case n < 21:
		m.Status = model.StatusProspect
		return
	}
	m.JoinedOn, m.RenewsOn = joined.Format(time.DateOnly), renewal.Format(time.DateOnly)
}

// slug is a name as it stands in an address: plain letters, words joined with
// dash. It is "" for a name in another script.
func slug(name, dash string) string {
	var words []string
	for _, w := range strings.Fields(strings.ReplaceAll(model.Fold(name), "-", " ")) {
		w = strings.Map(func(r rune) rune {
			if r < 'a' || r > 'z' {
				return -1
			}
			return r
		}, w)
		if w != "" {
			words = append(words, w)
		}
	}
	return strings.Join(words, dash)
}
